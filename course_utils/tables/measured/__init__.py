"""What was measured of the lecture's tables, one JSON file for each; nothing in them is typed.

`measured` is what a notebook calls. `claim`: a published number beside the measured one. `table`: how a notebook shows
a table. `records`: the files. `overview` and `report`: notebooks/tables/README.md, and a page with everything.
`publish`: from a folder where tables were measured into the course.
"""

from course_utils._support.check import one_of
from course_utils._support.paths import MEASURED
from course_utils.tables import tables
from course_utils.tables.measured.claim import Claim
from course_utils.tables.measured.records import read_tables, table_from
from course_utils.tables.measured.table import Part, Table

__all__ = ["Claim", "Part", "Table", "measured", "measured_tables"]


def measured(table: str, *parts: str) -> Table:
    """A table by its name, or those of its parts that are named; see `course_utils.tables.tables` for the names.

    In a notebook it is shown with its pictures, the command and the commit that measured it.

    Raises: ValueError for a table or a part that was not measured.

    >>> measured("binary", "mnist").parts[0].head[2]
    'measured error (%)'
    >>> measured("shallow")
    Traceback (most recent call last):
        ...
    ValueError: table must be one of ...
    """
    everything = measured_tables()
    one_of("table", table, list(everything))
    content = everything[table]
    for part in parts:
        one_of("part", part, [known.name for known in content.parts])
    if not parts:
        return content
    named = [part for part in content.parts if part.name in parts]
    return Table(content.name, content.title, content.section, content.level, content.records, named)


def measured_tables() -> dict[str, Table]:
    """All tables that were measured, in the lecture's order."""
    return {name: table_from(name, content) for name, content in read_tables(MEASURED, tables()).items()}
