"""Claim: a class of 200, hostile and clumsy students included, is graded with no wrong mark in 8 s of one core each."""

import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from course_utils._support.paths import EXERCISES
from course_utils.bench.timing import row
from course_utils.exercises.grading.grade import grade
from course_utils.exercises.grading.rehearsal import rehearsal
from course_utils.exercises.grading.sandbox import bubblewrap

__all__ = ["run"]

STUDENTS = int(os.environ.get("COURSE_BENCH_STUDENTS", "200"))
EXERCISE = "ex04"


def run(device: str = "cpu") -> list[dict[str, Any]]:
    """Make up a class, grade it by the function behind `course grade`, and compare its marks with the right ones."""
    if bubblewrap() is None:
        raise RuntimeError(
            "hostile submissions run only in bubblewrap, which is not installed (apt install bubblewrap)"
        )
    students = rehearsal(EXERCISES, EXERCISE, students=STUDENTS)
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary, "class")
        for submission in students:
            path = source / submission.student / submission.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(submission.content)
        began, used = time.monotonic(), time.process_time()
        graded = grade(source, Path(temporary, "out"), folder=EXERCISES)
        clock, used = time.monotonic() - began, time.process_time() - used
    records = [result.record for result in graded.results if result.record]
    used += sum(record["processor"] for record in records)
    points = {result.submission.student: result.points for result in graded.results}
    wrong = sum(
        student.student not in points or abs(points[student.student] - student.points) > 1e-9 for student in students
    )
    peaks = [record["memory"] / 1e6 for record in records]
    grader_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return [
        row("rows, and students", len(graded.results), len(students), "as many"),
        row("wrong marks", wrong, None, "0"),
        row("s of one core per student", used / len(students), None, "<= 8, aim 4"),
        row("s of elapsed time per student", clock / len(students), None, ""),
        row("MB of the largest student; those that take more are ended", max(peaks), None, "some 2000"),
        row("MB of the median student", sorted(peaks)[len(peaks) // 2], None, ""),
        row("MB of the process that grades", grader_peak, None, ""),
    ]
