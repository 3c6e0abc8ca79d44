"""A process that has a journal for itself until it is killed: `python -m journal_held JOURNAL`."""

import sys
import time
from pathlib import Path

from course_utils._support.journal import Journal, alone

if __name__ == "__main__":
    path = Path(sys.argv[1])
    with alone(path):
        Journal(path).add("held", {})
        time.sleep(120)
