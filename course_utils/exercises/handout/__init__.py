"""Handing out: from the lecturer's course to the tree that students get.

write         the tree and its commit (`course handout`), with handout.md as its README
leaks         the check that nothing of that is in the tree
new_exercise  a new exercise from templates/ (`course new-exercise`)
"""
