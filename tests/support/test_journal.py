"""The journal: what was added is there after any stop."""

import json
import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import started, wait_until

from course_utils._support.journal import Journal, alone

TOOLS = Path(__file__).parents[1] / "tools"


@settings(max_examples=25)
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
    after = list(Journal(path).records)
    assert after in ([*again.records], [*list(again.records)[:-1], f"key {lines}", "later"]), (
        "only a newline was missing"
    )
    assert path.read_bytes().startswith(content[:cut]), "nothing that was written is changed"


def test_the_later_of_two_records_counts_and_strange_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    entry = json.dumps({"key": "a", "record": {"n": 1}})
    path.write_text(
        f'{entry}\nnonsense\n{"[" * 100_000}\n[1]\n{{"key": 3, "record": {{}}}}\n{entry.replace("1", "2")}\n'
    )
    assert Journal(path).records == {"a": {"n": 2}}


def test_who_only_reads_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    Journal(path).add("a", {"n": 1})
    path.write_bytes(path.read_bytes() + b'{"key": "b", "rec')  # another process may be just writing it
    before = path.read_bytes()
    assert list(Journal(path).records) == ["a"]
    assert path.read_bytes() == before


def test_a_line_that_another_process_completes_later_is_not_cut(tmp_path: Path) -> None:
    """It was begun when this journal was opened, and is complete when this one writes."""
    path = tmp_path / "j.jsonl"
    other = Journal(path)
    other.add("a", {"n": 1})
    line = b'{"key": "b", "record": {"n": 2}}\n'
    path.write_bytes(path.read_bytes() + line[:12])
    journal = Journal(path)
    path.write_bytes(path.read_bytes() + line[12:])
    other.add("c", {"n": 3})
    journal.add("d", {"n": 4})
    assert Journal(path).records == {name: {"n": n} for n, name in enumerate("abcd", 1)}


@pytest.mark.parametrize("text", ["\ud800", "a\nb\r\u2028\x85c", "\0", "\N{BOM}"], ids=ascii)
def test_any_text_is_read_back(text: str, tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    Journal(path).add(text, {text: [text, float("inf")]})
    assert Journal(path).records == {text: {text: [text, float("inf")]}}


def test_what_is_no_json_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.add("a", {"n": 1})
    before = path.read_bytes()
    with pytest.raises(TypeError, match="not JSON serializable"):
        journal.add("b", {"n": object()})
    assert path.read_bytes() == before
    assert list(journal.records) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_record_that_the_disk_has_no_place_for_is_not_there_and_harms_no_other(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.add("a", {"n": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            journal.add("b", {"n": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(journal.records) == ["a"]
    journal.add("c", {"n": 3})
    assert Journal(path).records == {"a": {"n": 1}, "c": {"n": 3}}


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
@pytest.mark.skipif(os.name != "nt" and os.geteuid() == 0, reason="an administrator may write to any file")
def test_a_read_only_journal_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    Journal(path).add("a", {"n": 1})
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        Journal(path).add("b", {"n": 2})


def write_at_once(path: Path, *, writers: int, kills: int, records: int) -> None:
    """Processes write into one journal, some are killed: all that `add` has returned for is there, and nothing torn.

    Each notes what is done beside the journal, in a file of its own.
    """
    rng = random.Random(0)
    path.touch()
    with ExitStack() as running:
        processes = []
        for number in range(writers + kills):
            command = ("journal_written", str(path), str(number), str(records if number < writers else 10**9))
            processes.append(running.enter_context(started(*command, folder=TOOLS)))
        for number in range(writers, writers + kills):
            note = path.with_name(f"done-{number}")
            least = rng.randint(1, records // 2)
            wait_until(lambda note=note, least=least: note.is_file() and note.read_bytes().count(b"\n") > least, 120)
            processes[number].kill()
            with path.open("ab") as file:
                file.write(b'{"key": "torn", "rec')
        for process in processes[:writers]:
            assert process.wait(120) == 0
    stored = Journal(path).records
    for number in range(writers + kills):
        done = path.with_name(f"done-{number}").read_text().split("\n")[:-1]
        assert len(done) >= (records if number < writers else 1)
        assert {key: stored[key] for key in done} == {key: {"text": key * 50} for key in done}


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    write_at_once(tmp_path / "j.jsonl", writers=2, kills=1, records=40)


def test_a_writer_waits_for_another_one(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with started("journal_written", str(path), "0", "3", folder=TOOLS) as writer:
        with FileLock(tmp_path / ".j.jsonl.writing"):  # as a writer that has begun its line
            wait_until(lambda: (tmp_path / "done-0").is_file(), 60)
            time.sleep(0.5)
            assert not path.exists()
        assert writer.wait(60) == 0
    assert len(Journal(path).records) == 3


@pytest.mark.slow
def test_many_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    write_at_once(tmp_path / "j.jsonl", writers=4, kills=12, records=1500)


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
