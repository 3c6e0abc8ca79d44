"""A student's notebook at work: its cells run in a separate process, its functions called case by case."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from course_utils.exercises.grading.exchange import (
    ANSWER,
    ExchangeError,
    clean,
    packed,
    receive,
    send,
    tensors,
    unpacked,
)
from course_utils.exercises.grading.sandbox import Sandbox, Watched
from course_utils.exercises.judge import Outcome
from course_utils.exercises.task import Case

__all__ = ["Attempt", "Limits", "Trouble"]

MEND = "Kernel > Restart Kernel and Run All Cells stops at this cell, too: correct it there, and save the notebook."

MOST_NAMES, LONGEST_NAME = 8, 100  # that a note tells: both lists of names come from the student's process


@dataclass(frozen=True)
class Limits:
    """Seconds: of processor time for a cell and for a call, and by the process's clock for a whole submission.

    By that clock, which stands while others have the processors (`Watched.clock`), a cell or a call may take `patience`
    times its processor time.
    """

    cell: float = 10.0
    call: float = 4.0
    total: float = 120.0
    patience: float = 3.0
    start: float = 60.0
    restarts: int = 6


@dataclass(frozen=True)
class Trouble:
    """What went wrong with a cell, in a sentence, and the names that it did not give; None where it may be any name."""

    sentence: str
    lost: frozenset[str] | None = None

    @classmethod
    def of(cls, name: str, answer: Outcome) -> "Trouble":
        """The trouble of a cell that raised an error."""
        match answer.value:
            case {"refused": True}:
                return cls(f"{name} was not run: {answer.error}")
            case {"lost": [*names]}:
                return cls(f"{name} raises {answer.error}", frozenset(map(str, names)))
        return cls(f"{name} raises {answer.error}")

    def concerns(self, needed: frozenset[str] | None) -> bool:
        """Whether a function that is graded may have missed what this cell was to give."""
        return self.lost is None or needed is None or bool(self.lost & needed)

    def note(self, needed: frozenset[str] | None) -> str:
        """What the student reads, with what to do where a function that is graded may have missed something."""
        if not self.concerns(needed):
            return self.sentence
        names = sorted((self.lost or frozenset()) & (needed or frozenset()))
        more = [f"and {len(names) - MOST_NAMES:,} others"] if len(names) > MOST_NAMES else []
        shown = ", ".join([*(name[:LONGEST_NAME] for name in names[:MOST_NAMES]), *more])
        missing = f", so {shown} did not become what it says" if names else ""
        return f"{self.sentence}{missing}. {MEND}"


@dataclass
class Attempt:
    """Runs `cells`, pairs of a name and a source, and answers calls of the functions that they define.

    A cell that ends the process or does not end is left out, and the others are run again in a new one; a function that
    does so is not called again. `troubles` has what went wrong with the cells, by their numbers.
    """

    sandbox: Sandbox
    cells: Sequence[tuple[str, str]]
    limits: Limits = field(default_factory=Limits)
    troubles: dict[int, Trouble] = field(default_factory=dict)
    peak: int = 0
    seconds: float = 0.0
    given_up: str = ""

    def __post_init__(self) -> None:
        self._process: Watched | None = None
        self._left_out: set[int] = set()
        self._broken: dict[str, str] = {}
        self._starts = 0
        self.spent = 0.0  # seconds by the clocks of processes that have ended

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def call(self, name: str, case: Case) -> Outcome:
        """What the notebook's function returns for a case."""
        while name not in self._broken and not self.given_up:
            process = self._process or self._begin()
            if process is None:
                continue
            message = {"call": name, "args": packed(list(case.args)), "kwargs": packed(dict(case.kwargs))}
            before = tensors([*case.args, *case.kwargs.values()])
            answer = self._ask(process, message, self.limits.call, before)
            if isinstance(answer, str):
                self._broken[name] = answer
            elif answer.error.startswith("Late:"):  # a loop that ends in no case must not use up the time of all others
                self._broken[name] = f"it did not end within {self.limits.call:g} s"
            else:
                return answer
        return Outcome(lost=self._broken.get(name) or self.given_up)

    def needed(self, names: Sequence[str]) -> frozenset[str] | None:
        """These names and all that functions of these names use; None if that cannot be found out."""
        while not self.given_up:
            process = self._process or self._begin()
            if process is None:
                continue
            answer = self._ask(process, {"needed": list(names)}, self.limits.call)
            if isinstance(answer, Outcome) and isinstance(answer.value, list):
                return frozenset(map(str, answer.value))
            break
        return None

    def _begin(self) -> Watched | None:
        """A new process in which the cells have run; None if it has to be tried again, or was given up."""
        if self._starts > self.limits.restarts:
            self.given_up = "the process was ended too often"
            return None
        self._starts += 1
        self._process = process = self.sandbox.start()
        within = max(0.1, min(self.limits.start, self._left()))
        try:
            receive(process.line, bound=ANSWER, within=within, clock=process.clock)
        except (ExchangeError, TimeoutError):
            self._stop()
            self.given_up = process.ended_for or "the process could not be started"
            return None
        for number, (name, source) in enumerate(self.cells):
            if number in self._left_out:
                continue
            answer = self._ask(process, {"cell": source, "name": name}, self.limits.cell)
            if isinstance(answer, str):
                self._left_out.add(number)
                self.troubles[number] = Trouble(f"{name} was left out: {answer}")
                return None
            if answer.error and number not in self.troubles:
                self.troubles[number] = Trouble.of(name, answer)
        return process

    def _ask(self, process: Watched, message: dict[str, Any], seconds: float, before: Any = None) -> Outcome | str:
        """The outcome of a cell or a call; or why there is none, in which case the process has been ended.

        `before`: the tensors that a call is given. They come back with the answer and are compared here, as whatever
        compares them in the student's process is the student's to replace.
        """
        by_the_clock = min(seconds * self.limits.patience, self._left())
        if by_the_clock <= 0:
            return self._ended(process, f"the time for a whole submission, {self.limits.total:g} s, is over")
        try:
            # An answer that is written before the question has come cannot know its ticket.
            ticket = secrets.token_hex(8)
            question = message | {"seconds": seconds, "ticket": ticket}
            send(process.line, question, within=by_the_clock, clock=process.clock)
            answer = receive(process.line, within=by_the_clock, bound=ANSWER, clock=process.clock)
            if answer.get("ticket") != ticket:
                raise ExchangeError("what came back answers another question")
            value, error, after = unpacked(answer.get("value")), answer.get("error"), answer.get("tensors")
        except TimeoutError:
            return self._ended(process, f"it did not end within {seconds:g} s")
        except ExchangeError as problem:
            return self._ended(process, "the process ended" if "has gone" in str(problem) else str(problem))
        return Outcome(value, clean(error) if isinstance(error, str) else "", changed=after != before)

    def _ended(self, process: Watched, reason: str) -> str:
        if self._left() <= 0:
            self.given_up = reason = f"the time for a whole submission, {self.limits.total:g} s, is over"
        self._stop()
        return process.ended_for or reason

    def _left(self) -> float:
        """Seconds that are left to the submission."""
        return self.limits.total - self.spent - (self._process.clock() if self._process else 0)

    def _stop(self) -> None:
        if self._process is not None:
            self.spent += self._process.clock()
            self._process.stop()
            self.peak = max(self.peak, self._process.peak)
            self.seconds += self._process.seconds
            self._process = None
