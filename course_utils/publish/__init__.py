"""What leaves the course: pages and slides that need no kernel, and the lecturer's kit."""
