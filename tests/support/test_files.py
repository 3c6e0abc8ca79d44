"""Atomic writing: after an error or a kill the old file is there, or none; and folders that nobody uses any more go."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from course_utils._support import files
from course_utils._support.files import DAY, MACHINE, staging, written_atomically


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
    assert [name.partition("-t")[0] for name in drafts] == [f".a.bin-{MACHINE}-{process.pid}"]
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


def test_a_file_takes_its_name_once_the_disk_has_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, calls = tmp_path / "a.bin", []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(descriptor: int) -> None:
        calls.append(("fsync", os.fstat(descriptor).st_size))
        fsync(descriptor)

    def recorded_replace(source: Path, target: Path) -> None:
        calls.append(("replace", source.stat().st_size))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    with written_atomically(path) as file:
        file.write(b"abc")
    assert calls == [("fsync", 3), ("replace", 3)]

    def full_disk(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"), written_atomically(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"abc"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_staging_folder_is_removed_and_so_are_those_of_dead_processes(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (f".staging-a-{MACHINE}-{dead.pid}-x", f".staging-b-{MACHINE}-{os.getppid()}-x", ".staging-c", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part").write_bytes(b"abc")
    with staging(tmp_path / "c" / "new" / "folder", "a") as private:
        assert private.parent == tmp_path / "c" / "new" / "folder"
    with staging(tmp_path, "a") as private:
        (private / "part").write_bytes(b"abc")
        with staging(tmp_path, "a") as another:
            assert private.is_dir()
            assert another != private
    assert set(os.listdir(tmp_path)) == {f".staging-b-{MACHINE}-{os.getppid()}-x", ".staging-c", "c"}
    for part, stays in ((tmp_path / ".staging-c", True), (tmp_path / ".staging-c" / "part", False)):
        os.utime(part, (0, time.time() - 2 * DAY))
        with staging(tmp_path, "a"):
            assert (tmp_path / ".staging-c").exists() == stays  # it is as old as the newest part of it


def test_the_draft_of_another_user_or_of_a_similar_name_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(process: int, number: int) -> None:
        raise PermissionError

    theirs, similar, stale = f".a.b-{MACHINE}-1", ".axb-00000000-2", ".a.b-00000000-3"
    for name in (theirs, similar, stale):
        (tmp_path / name).write_bytes(b"draft")
    for name in (similar, stale):
        os.utime(tmp_path / name, (0, 0))
    monkeypatch.setattr(os, "kill", refused)
    with written_atomically(tmp_path / "a.b") as file:
        file.write(b"new")
    assert set(os.listdir(tmp_path)) == {"a.b", theirs, similar}


def test_threads_that_write_one_file_leave_a_complete_one(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"

    def write(letter: bytes) -> None:
        for _ in range(20):
            with written_atomically(path) as file:
                for _ in range(10):
                    file.write(letter * 1000)
            content = path.read_bytes()
            assert len(content) == 10_000
            assert len(set(content)) == 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, [b"a", b"b", b"c", b"d"]))
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.name == "nt", reason="pipes, devices and links are POSIX's")
def test_what_is_no_ordinary_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("folder", "pipe", "loop"):
        with pytest.raises(OSError), written_atomically(tmp_path / name) as file:
            file.write(b"x")
    assert (tmp_path / "folder").is_dir()
    assert stat.S_ISFIFO((tmp_path / "pipe").lstat().st_mode)
    with (
        pytest.raises(FileExistsError, match=r"folder is a folder, .*; give another name"),
        written_atomically(tmp_path / "folder"),
    ):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe", "loop"}


@pytest.mark.skipif(os.name == "nt", reason="links need special rights on Windows")
def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "a.bin"
    target.parent.mkdir()
    link = tmp_path / "link"
    link.symlink_to(target)
    for content in (b"new", b"newer"):  # at first the link leads nowhere
        with written_atomically(link) as file:
            file.write(content)
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_permissions_stay_and_a_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with written_atomically(path) as file:
        assert {stat.S_IMODE(part.stat().st_mode) for part in tmp_path.iterdir()} == {0o640}, "of the draft as well"
        file.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o440)
    with pytest.raises(PermissionError, match="read-only; make it writable"), written_atomically(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    "name",
    [
        "\u00e9",
        "e\u0301",
        "\u1100\u1161",
        "a b\n[c]*",
        "\udcff",
        ".hidden",
        "a" * 255,
        "\u00e9" * 127,
        "-t1",
        "con.txt",
    ],
    ids=ascii,
)
@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX alone")
def test_a_name_of_any_form_is_that_of_the_file(name: str, tmp_path: Path) -> None:
    stale = tmp_path / f".{name}-00000000-3"
    if len(os.fsencode(stale.name)) <= 255:
        stale.write_bytes(b"draft")
        os.utime(stale, (0, 0))
    for content in (b"new", b"newer"):
        with written_atomically(tmp_path / name) as file:
            file.write(content)
        assert (tmp_path / name).read_bytes() == content
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    "name", ["NUL", "con", "Aux.txt", "com1.tar.gz", "LPT9 .x", "a:b", "a.", "a ", "a?", "a\nb"], ids=ascii
)
def test_names_that_windows_keeps_for_itself_are_refused_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WINDOWS", True)
    with (
        pytest.raises(ValueError, match="cannot be the name of a file on Windows; give another one"),
        written_atomically(tmp_path / name),
    ):
        pass
    for allowed in ("console", "com", "nul_", "lpt10", ".con", "a.b c", "\u00e9"):
        with written_atomically(tmp_path / allowed) as file:
            file.write(b"new")
    assert len(os.listdir(tmp_path)) == 7


@pytest.mark.skipif(os.name == "nt", reason="owners and links are POSIX's")
def test_the_owner_stays_and_another_name_keeps_the_old_bytes(tmp_path: Path) -> None:
    path, other = tmp_path / "a.bin", tmp_path / "other"
    path.write_bytes(b"old")
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
    owner = (path.stat().st_uid, path.stat().st_gid)
    os.link(path, other)
    with written_atomically(path) as file:
        file.write(b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == owner
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"old")


@pytest.mark.skipif(os.name == "nt", reason="the umask is POSIX's")
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with written_atomically(tmp_path / "a.bin") as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ["open", "replace"])
def test_a_folder_that_cannot_be_written_is_a_sentence(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a read-only one, or one with the sticky bit, where only their owners may replace files."""

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "no", "a draft")

    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(*{"open": (Path, "open", refused), "replace": (os, "replace", refused)}[call])
    with (
        pytest.raises(
            PermissionError, match=r"a\.bin cannot be written: Permission denied; give another place, or make"
        ),
        written_atomically(path) as file,
    ):
        file.write(b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(OSError, match="File too large"), written_atomically(path) as file:
            file.write(bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]
