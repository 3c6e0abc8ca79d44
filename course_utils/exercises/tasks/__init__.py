"""The tasks of each exercise: what is right, the cases, and the mistakes that have a hint."""
