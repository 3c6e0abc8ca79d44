"""Grading: what the lecturer's three commands do, from a folder of submissions to marks and feedback.

    files --collect--> submissions --grade--> one mark for each --marks, feedback--> CSV and pages

For each submission `mark` has `attempt` run the cells in a process of their own and call the functions with every case.
`sandbox` starts that process with the system calls of `calls`; in it `runner` works, with the copy of the package that
`library` writes (`silent` stands in it for panels); what crosses between the two goes through `exchange`. Before the
first student of an exercise `trial` has the model solution and an empty submission marked. `scratch` is the folder on
the disk that all this uses.
`rehearsal` makes up a class of good, wrong and hostile work on which a lecturer can try all this.
"""
