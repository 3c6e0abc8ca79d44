"""The tasks of each exercise: what is right, the cases, and the usual mistakes (`Mistake`), each with its hint."""
