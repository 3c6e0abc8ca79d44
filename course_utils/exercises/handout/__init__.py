"""Handing out: from the lecturer's course to the tree that students get."""
