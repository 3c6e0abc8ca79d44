"""Zip files that lie, and what else lies in a folder of submissions: each is a row, and the others are read."""

import io
import os
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from hostile import RIGHT

from course_utils.exercises import exercises
from course_utils.exercises.grading import files
from course_utils.exercises.grading.collect import Submission, collect

LISTED, LOCAL = b"PK\x01\x02", b"PK\x03\x04"  # headers in the list at the end, and before each file


def zipped(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return buffer.getvalue()


GOOD = zipped({"ex04.ipynb": RIGHT})


def changed(header: bytes, place: int, value: bytes, data: bytes = GOOD) -> bytes:
    """A zip file in which the header of its file says something else."""
    changed = bytearray(data)
    start = data.index(header) + place
    changed[start : start + len(value)] = value
    return bytes(changed)


def overlapping(times: int) -> bytes:
    """A list in which one file of 19 MB stands many times."""
    data = zipped({"a.ipynb": b" " * 19_000_000})
    start, end = data.index(LISTED), data.index(b"PK\x05\x06")
    listed = data[start:end] * times
    return data[:start] + listed + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, times, times, len(listed), start, 0)


CASES = {
    "encrypted": (changed(LISTED, 8, b"\1\0", changed(LOCAL, 6, b"\1\0")), "without a password"),
    "another checksum": (changed(LISTED, 16, b"abcd"), "cannot be unpacked"),
    "said to be small": (changed(LISTED, 24, struct.pack("<I", 3)), "cannot be unpacked"),
    "somewhere else": (changed(LISTED, 42, struct.pack("<I", 2**31)), "cannot be unpacked"),
    "a version of tomorrow": (changed(LISTED, 6, b"\x63\0"), "is a damaged zip file"),
    "another method": (changed(LISTED, 10, b"\x63\0"), "another method than deflate"),
    "cut off": (GOOD[:-30], "is a damaged zip file"),
    "a list of 45,000": (zipped({f"{'d' * 50}{n}.txt": b"" for n in range(45_000)}), "holds 45,000 files"),
    "overlapping": (overlapping(40), "too many bytes"),
}
READ = {
    "month 0": changed(LISTED, 14, b"\0\0"),
    "the last date": changed(LISTED, 12, b"\xff\xff\xff\xff"),
    "said to be large": changed(LISTED, 24, struct.pack("<I", 2**31)),
    "bytes before it": b"x" * 1000 + GOOD,
}


def collected(folder: Path, work: dict[str, bytes]) -> dict[str, Submission]:
    for path, content in {**work, "neighbour/ex04.ipynb": RIGHT}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    rows = {row.student: row for row in collect(folder, exercises())}
    assert rows["neighbour"].notebook is not None
    return rows


@pytest.mark.parametrize("name", CASES)
def test_a_zip_file_that_lies_is_a_row(name: str, tmp_path: Path) -> None:
    content, reason = CASES[name]
    row = collected(tmp_path, {"ada/work.zip": content})["ada"]
    assert row.notebook is None
    assert reason in " ".join([row.problem, *row.remarks])


DAMAGES = {
    "data": (LOCAL, 30 + len("ada/ex04.ipynb"), b"\xff\xff\xff"),
    "checksum": (LISTED, 16, b"abcd"),
    "size": (LISTED, 24, struct.pack("<I", 3)),
    "place": (LISTED, 42, struct.pack("<I", 2**31)),
    "method": (LISTED, 10, b"\x63\0"),
    "flags": (LISTED, 8, b"\x20\0"),  # of data that is a patch
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_in_the_zip_file_of_a_class_costs_the_others_nothing(name: str, tmp_path: Path) -> None:
    content = zipped({"ada/ex04.ipynb": RIGHT, "bob/ex04.ipynb": RIGHT})
    (tmp_path / "class.zip").write_bytes(changed(*DAMAGES[name], content))
    ada, bob = collect(tmp_path / "class.zip", exercises())
    assert (ada.student, bob.student) == ("ada", "bob")
    assert "unpacked" in ada.problem or "not opened" in ada.problem
    assert bob.notebook is not None


@pytest.mark.parametrize("name", READ)
def test_what_is_only_odd_is_read(name: str, tmp_path: Path) -> None:
    assert collected(tmp_path, {"ada/work.zip": READ[name]})["ada"].notebook is not None


def test_files_are_counted_before_the_list_of_a_zip_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, reason = CASES["a list of 45,000"]
    monkeypatch.setattr(zipfile, "ZipFile", lambda *args: pytest.fail("it was opened"))
    assert reason in collected(tmp_path, {"ada/work.zip": content})["ada"].problem


@pytest.mark.parametrize("ending", ["7z", "rar", "tar.gz", "tgz"])
def test_an_archive_of_another_kind_is_named(ending: str, tmp_path: Path) -> None:
    rows = collected(tmp_path, {f"ada/work.{ending}": b"?", "bob/ex04.ipynb": RIGHT, f"bob/more.{ending}": b"?"})
    assert "is an archive that is not opened" in rows["ada"].problem
    assert any("is an archive that is not opened" in remark for remark in rows["bob"].remarks)


def test_pipes_and_loops_of_links_are_rows_and_not_opened(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    os.mkfifo(tmp_path / "ada" / "ex04.ipynb")
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "round").symlink_to(tmp_path / "bob")
    rows = collected(tmp_path, {})
    assert "no ordinary file" in rows["ada"].problem
    assert "no ordinary file" in rows["bob"].problem


@pytest.mark.parametrize("call", ["lstat", "read_bytes"])
def test_a_file_that_cannot_be_read_is_a_row(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = getattr(Path, call)

    def refuse(path: Path) -> object:
        if path.parent.name == "ada":
            raise PermissionError(13, "Permission denied")
        return asked(path)

    monkeypatch.setattr(Path, call, refuse)
    rows = collected(tmp_path, {"ada/ex04.ipynb": RIGHT})
    assert rows["ada"].problem == "ada/ex04.ipynb cannot be read: Permission denied"


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ada").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("ada"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(files.os, "scandir", refuse)
    assert [entry.problem for entry in files.entries(tmp_path)] == [
        "is a folder that cannot be read: Permission denied"
    ]


@pytest.mark.parametrize(("name", "depth"), [("d", 1_100), ("d" * 200, 40)], ids=["many", "long"])
def test_folders_without_end_are_a_row(name: str, depth: int, tmp_path: Path) -> None:
    """Deeper than Python's own stack, or than a path may be long."""
    ada = tmp_path / "ada"
    ada.mkdir()
    folder = os.open(ada, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=folder)
        outer, folder = folder, os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(outer)
    os.close(folder)
    try:
        assert "folders deep, and was not opened" in collected(tmp_path, {})["ada"].problem
    finally:
        subprocess.run(["rm", "-rf", str(ada)], check=True)  # Python cannot


def test_a_zip_file_that_no_memory_holds_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    with (tmp_path / "ada" / "ex04.zip").open("wb") as file:
        file.truncate(1 << 40)  # takes no place on the disk
    assert "has 1,099,512 MB, and 1,000 MB are read" in collected(tmp_path, {})["ada"].problem
