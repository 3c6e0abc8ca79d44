"""The written answer, where it stands in several cells or beside its own."""

from collections.abc import Sequence

from course_utils.exercises.notebook.answered import AnsweredExercise
from course_utils.exercises.notebook.cell import Cell, name_of, set_source, source_of
from course_utils.exercises.notebook.signs import sign
from course_utils.exercises.notebook.texts import is_blank, prose_of

__all__ = ["answers", "gather_answer", "join_answers"]


def gather_answer(answered: AnsweredExercise) -> None:
    """A written answer that stands in several cells, or beside its own, is put together."""
    answer = answered.find(answered.written)
    if answer is None:
        return
    others = [cell for cell in answers(answered) if not is_blank(prose_of(cell))]
    sentences = [cell for cell in others if cell["cell_type"] != "code"]
    if not is_blank(source_of(answer)) or sentences:
        others = sentences  # code that is no code is an answer only where nothing else is
    if not others:
        return
    parts = [cell for cell in answered.cells if any(cell is part for part in (answer, *others))]
    texts = [prose_of(cell).strip() for cell in parts]
    set_source(answer, "\n\n".join(dict.fromkeys(text for text in texts if not is_blank(text))))
    _carry_attachments(answer, others)
    for cell in others:
        answered.remove(cell)
    answered.repaired.append("Your written answer, or a part of it, stood beside its cell; it was moved into it.")


def join_answers(answered: AnsweredExercise, same: Sequence[Cell]) -> None:
    """All that several cells of the written answer say, in the first of them."""
    answer, *others = [cell for cell in same if not is_blank(source_of(cell))] or same
    texts = dict.fromkeys(prose_of(cell).strip() for cell in (answer, *others))
    for cell in same:
        if cell is not answer:
            answered.remove(cell)
    if len(texts) > 1:
        set_source(answer, "\n\n".join(texts))
        _carry_attachments(answer, others)
    answered.was_repaired(answered.written, f"was there {len(same)} times; all that was written counts.")


def answers(answered: AnsweredExercise) -> list[Cell]:
    """Cells without a name that hold words, between the question and the end."""
    names = list(answered.wanted)
    before, after = names[: names.index(answered.written)], names[names.index(answered.written) + 1 :]
    if answered.find(before[-1]) is not None:
        before = before[-1:]  # the question; without it the last cell of the other tasks
    question = [number for number, cell in enumerate(answered.cells) if name_of(cell) in before]
    ends = [sign(answered.wanted[name]) for name in after]
    texts: list[Cell] = []
    for cell in answered.cells[max(question, default=len(answered.cells)) + 1 :]:
        if name_of(cell) in after or any(is_end(source_of(cell)) for is_end in ends):
            break
        if not name_of(cell) and prose_of(cell):
            texts.append(cell)
    return texts


def _carry_attachments(answer: Cell, others: Sequence[Cell]) -> None:
    """Pictures go where the text goes that shows them."""
    attachments = {name: data for cell in (*others, answer) for name, data in cell.get("attachments", {}).items()}
    if attachments:
        answer["attachments"] = attachments
