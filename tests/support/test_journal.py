"""The journal: what was added is there after any stop."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import started, wait_until

from course_utils._support.journal import Journal, alone

TOOLS = Path(__file__).parents[1] / "tools"


@given(cut=st.integers(0, 10_000))
def test_every_prefix_of_a_journal_is_read(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    journal = Journal(path)
    for number in range(5):
        journal.add(f"key {number}", {"value": "é" * number})
    content = path.read_bytes()
    cut %= len(content) + 1
    path.write_bytes(content[:cut])
    again = Journal(path)
    lines = content[:cut].count(b"\n")
    assert list(again.records) == [f"key {number}" for number in range(lines)]
    again.add("later", {"value": 1})
    assert list(Journal(path).records) == [*again.records]


def test_the_later_of_two_records_counts_and_strange_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    entry = json.dumps({"key": "a", "record": {"n": 1}})
    path.write_text(f'{entry}\nnonsense\n[1]\n{{"key": 3, "record": {{}}}}\n{entry.replace("1", "2")}\n')
    assert Journal(path).records == {"a": {"n": 2}}


def test_who_only_reads_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    Journal(path).add("a", {"n": 1})
    path.write_bytes(path.read_bytes() + b'{"key": "b", "rec')  # another process may be just writing it
    before = path.read_bytes()
    assert list(Journal(path).records) == ["a"]
    assert path.read_bytes() == before


def test_one_process_at_a_time_and_the_lock_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with started("journal_held", str(path), folder=TOOLS) as holder:
        wait_until(lambda: path.is_file(), 60)
        with pytest.raises(ValueError, match=r"another process is at work on .*j\.jsonl; wait until it has ended"):
            enter(path)
        holder.kill()
        holder.wait()
        enter(path)


def enter(path: Path) -> None:
    with alone(path):
        pass
