"""Atomic writing: after an error, or a kill, the old file is there, or none."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_utils.files import written_atomically


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
        "import sys, time\nfrom course_utils.files import written_atomically\n"
        "with written_atomically(sys.argv[1]) as f:\n    f.write(b'x' * 10**6); f.flush(); print('half', flush=True)\n"
        "    time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    time.sleep(0.01)
    assert path.read_bytes() == b"old"
