"""Helpers without a subject, which all other parts may import.

arguments    check (what was given, what is allowed)  unwritten (functions that a reader still has to write)
files        files (atomic writes)  journal (finished work, a line each)  paths  git
installation kernel (IPython's shell and its notebook)  extras (packages that are not installed)
comparison   description (values as text)  code (of functions)
text         markdown (tables)  html  mathematics (formulas)  words (counted nouns)
running      side_by_side (parallel calls)  random_numbers (seeds)
"""
