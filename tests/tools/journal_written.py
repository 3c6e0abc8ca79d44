"""`python -m journal_written JOURNAL NUMBER RECORDS`: write records, and note each that is written in done-NUMBER."""

import sys
from pathlib import Path

from course_utils._support.journal import Journal

if __name__ == "__main__":
    path, number, records = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    journal = Journal(path)
    with path.with_name(f"done-{number}").open("a", buffering=1) as done:
        for i in range(records):
            key = f"{number}-{i}"
            journal.add(key, {"text": key * 50})
            done.write(f"{key}\n")
