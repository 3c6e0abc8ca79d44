"""Helpers without a subject of their own: checks of arguments, files, paths, processes."""
