"""What a table is measured with, and what it is made of.

`bench`: data, trainings and sweeps whose results are kept. `origin`: the command and the commit a result comes from.
`section`: rows whose numbers know their results. `content`: sections as what a file holds. `pictures`: their plots.
`fast_layers`: layers for trainings that take hours on a processor.
"""

from course_utils.tables.measured.claim import spread
from course_utils.tables.workbench.bench import Workbench, percent
from course_utils.tables.workbench.section import Result, Row, Section, mean_of

__all__ = ["Result", "Row", "Section", "Workbench", "mean_of", "percent", "spread"]
