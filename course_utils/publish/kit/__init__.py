"""What a lecturer needs to teach from the course: a map of the lecture, minutes, misconceptions, questions for class.

lecture, minutes, timing     what the notebooks treat, and how long it takes
lesson, section_01 to _10    misconceptions and questions of each section, with the moves of a panel that answer them
stage, reading               moves the panels as these say, and checks that they show it
pages, write                 the kit as Markdown, and its two files
"""
