"""What a lecturer needs to teach from the course: a map of the lecture, minutes, misconceptions, questions for class.

`lesson` says what is known of each section, `section_01` to `section_10` hold it, `stage` moves a panel as they say, so
that no claim outlives what the panel shows. `lecture` and `minutes` read the notebooks, `pages` writes the kit.
"""
