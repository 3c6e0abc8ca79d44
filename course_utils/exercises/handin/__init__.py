"""Handing in: a student's notebook is looked through, put right where that is safe, and written as one file."""
