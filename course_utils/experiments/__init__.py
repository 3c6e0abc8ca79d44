"""Trainings and searches whose results the panels show; they know no picture and no control.

`lesson` has the data and the networks that several notebooks share; each section has a folder of its own.
"""
