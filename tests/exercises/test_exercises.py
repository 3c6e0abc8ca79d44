"""Every exercise: right answers of every style pass, and each known mistake is rejected with its own hint."""

from pathlib import Path

import pytest

from course_utils.exercises import exercises, load_exercise
from course_utils.exercises.judge import call_here, judge
from course_utils.exercises.task import Task
from course_utils.exercises.teacher import Answer, load_teacher

FOLDER = Path(__file__).parents[2] / "notebooks" / "exercises"
TEACHERS = {name: load_teacher(FOLDER / "teacher" / f"{name}.py") for name in exercises()}
TASKS = [(name, task) for name in exercises() for task in load_exercise(name).tasks]
ANSWERS = [
    (name, load_exercise(name).task(answer.task), answer) for name in exercises() for answer in TEACHERS[name].answers
]
RIGHT = [entry for entry in ANSWERS if not entry[2].mistake]
WRONG = [entry for entry in ANSWERS if entry[2].mistake]


def named(entry: tuple[str, Task, Answer]) -> str:
    name, task, answer = entry
    return f"{name}-{task.name}-{answer.mistake or answer.function.__name__}"


@pytest.mark.parametrize("entry", RIGHT, ids=named)
def test_right_answers_of_every_style_pass(entry: tuple[str, Task, Answer]) -> None:
    name, task, answer = entry
    for cases in (task.cases(0), TEACHERS[name].hidden(task)):
        verdict = judge(task, call_here(answer.function), cases)
        assert verdict.right, (verdict.problem, verdict.case)
        assert verdict.points == task.points


@pytest.mark.parametrize("entry", WRONG, ids=named)
def test_each_mistake_is_rejected_with_its_own_hint(entry: tuple[str, Task, Answer]) -> None:
    name, task, answer = entry
    for cases in (task.cases(0), TEACHERS[name].hidden(task)):
        verdict = judge(task, call_here(answer.function), cases)
        assert not verdict.right
        assert verdict.points < task.points
        assert verdict.mistake == answer.mistake, (verdict.problem, verdict.hint)
        assert verdict.problem


@pytest.mark.parametrize(("name", "task"), TASKS, ids=lambda value: getattr(value, "name", value))
def test_a_task_knows_enough_of_its_mistakes(name: str, task: Task) -> None:
    answers = [answer for answer in TEACHERS[name].answers if answer.task == task.name]
    assert len([answer for answer in answers if not answer.mistake]) >= 2, "right answers in two styles"
    assert len({answer.mistake for answer in answers if answer.mistake}) >= 5, "five plausible wrong answers"
    assert len({mistake.hint for mistake in task.mistakes}) == len(task.mistakes), "each mistake has a hint of its own"
    tested = {answer.mistake for answer in answers}
    assert {mistake.name for mistake in task.mistakes} <= tested, "each known mistake is tried"
