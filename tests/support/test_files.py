"""Atomic writing: after an error, or a kill, the old file is there, or none."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_utils._support.files import DAY, MACHINE, written_atomically


def test_an_error_keeps_the_old_file_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def broken() -> None:
        with written_atomically(path) as file:
            file.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]
    with written_atomically(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match="does not exist; make it first"),
        written_atomically(tmp_path / "b" / "a"),
    ):
        pass


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    script = (
        "import sys, time\nfrom course_utils._support.files import written_atomically\n"
        "with written_atomically(sys.argv[1]) as f:\n    f.write(b'x' * 10**6); f.flush(); print('half', flush=True)\n"
        "    time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert path.read_bytes() == b"old"
    drafts = [name for name in os.listdir(tmp_path) if name != "a.bin"]
    assert drafts == [f".a.bin-{MACHINE}-{process.pid}"]
    with written_atomically(path) as file:
        file.write(b"new")
    assert os.listdir(tmp_path) == ["a.bin"]


def test_drafts_that_may_still_be_written_are_left_alone(tmp_path: Path) -> None:
    mine, elsewhere, old = f".a-{MACHINE}-{os.getppid()}", ".a-00000000-1", ".a-00000000-2"
    others = [".a-b-00000000-3", ".a-notes", "a-00000000-4"]  # the draft of another file, and no drafts
    for name in [mine, elsewhere, old, *others]:
        (tmp_path / name).write_bytes(b"draft")
    os.utime(tmp_path / old, (0, time.time() - 2 * DAY))
    os.utime(tmp_path / others[0], (0, 0))
    with written_atomically(tmp_path / "a") as file:
        file.write(b"new")
    assert set(os.listdir(tmp_path)) == {"a", mine, elsewhere, *others}
