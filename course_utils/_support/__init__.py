"""Helpers without a subject: checks of arguments, files and folders, paths, words, parallel calls, random numbers."""
