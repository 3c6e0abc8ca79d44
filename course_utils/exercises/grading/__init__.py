"""Grading: what the lecturer's three commands do, from a folder of submissions to marks and feedback."""
