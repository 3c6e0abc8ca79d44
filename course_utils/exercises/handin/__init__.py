"""Handing in: a student's notebook is looked through, put right where that is safe, and written as one file.

`places` knows the tasks' cells and the answers in a notebook, `state` what is missing in them, `saved` waits for the
file that Jupyter saves, `prepare` writes what is handed in, and `form` is the button under it all.
"""
