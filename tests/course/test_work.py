"""A reader's work, packed and taken up again; what comes from a stranger writes nowhere else."""

import io
import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import expect

from course_utils.bench import browser as lab
from course_utils.course.keeper import keep_work
from course_utils.course.work import MOST_FILES, changed_notebooks, pack, unpack
from notebooks import write

EMPTY = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
OTHER = EMPTY.replace(b"[]", b'[{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "mine"}]')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two notebooks that have come with the course, and one that was worked on later."""
    for name in ("a.ipynb", "exercises/b.ipynb", "worked.ipynb", ".ipynb_checkpoints/a.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(EMPTY)
        os.utime(tmp_path / name, (1_000_000, 1_000_000))
    touch(tmp_path / "worked.ipynb", OTHER)
    return tmp_path


def touch(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (1_005_000, 1_005_000))


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_only_what_was_worked_on_is_work(folder: Path) -> None:
    assert changed_notebooks(folder) == [folder / "worked.ipynb"]
    touch(folder / "exercises" / "b.ipynb", OTHER)
    assert changed_notebooks(folder) == [folder / "exercises" / "b.ipynb", folder / "worked.ipynb"]
    assert changed_notebooks(folder / "exercises" / "nowhere") == []


def test_work_comes_back_into_a_fresh_copy(folder: Path, tmp_path: Path) -> None:
    data = pack(changed_notebooks(folder), folder)
    touch(folder / "worked.ipynb", EMPTY)
    os.utime(folder / "worked.ipynb", (1_000_000, 1_000_000))  # a new session: as it came
    (taken,) = unpack(data, folder)
    assert taken == ("worked.ipynb", folder / "worked.ipynb")
    assert taken.path.read_bytes() == OTHER


def test_newer_work_is_not_overwritten(folder: Path) -> None:
    newer = OTHER.replace(b"mine", b"newer")
    data = zipped(**{"worked.ipynb": newer})
    assert unpack(data, folder)[0].path.name == "worked (taken up 1).ipynb"
    assert unpack(data, folder)[0].path.name == "worked (taken up 2).ipynb"
    assert (folder / "worked.ipynb").read_bytes() == OTHER
    assert unpack(zipped(**{"worked.ipynb": OTHER}), folder)[0].path.name == "worked.ipynb"  # the same: no copy


def test_a_single_notebook_is_taken_up_too(folder: Path) -> None:
    assert unpack(OTHER, folder, name="C:\\Users\\me\\new.ipynb")[0].path == folder / "new.ipynb"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zipped(**{"../evil.ipynb": EMPTY}), "no name of a notebook"),
        (zipped(**{"/evil.ipynb": EMPTY}), "no name of a notebook"),
        (zipped(**{"a/../../evil.ipynb": EMPTY}), "no name of a notebook"),
        (zipped(**{"..\\evil.ipynb": EMPTY}), "no name of a notebook"),
        (zipped(**{".ipynb_checkpoints/evil.ipynb": EMPTY}), "no name of a notebook"),
        (zipped(**{"torch.py": b"print('mine')"}), "no name of a notebook"),
        (zipped(**{"link/evil.ipynb": EMPTY}), "leads out of the folder"),
        (zipped(**{"a.ipynb": b"no json"}), "no Jupyter notebook"),
        (zipped(**{"a.ipynb": b"[" * 100_000}), "no Jupyter notebook"),
        (zipped(**{"a.ipynb": OTHER, "b.ipynb": b"{}"}), "no Jupyter notebook"),
        (zipped(), "holds no notebook"),
        (zipped(**{f"{i}.ipynb": EMPTY for i in range(MOST_FILES + 1)}), "at most 200"),
        (zipped(**{"a.ipynb": EMPTY})[:-30], "no name of a notebook"),
        (b"", "no name of a notebook"),
    ],
)
def test_what_is_not_work_is_refused_whole(folder: Path, tmp_path_factory, data: bytes, message: str) -> None:
    (folder / "link").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    before = everything(folder)
    with pytest.raises(ValueError, match=message):
        unpack(data, folder)
    assert everything(folder) == before


def test_a_zip_bomb_is_refused_before_it_fills_the_memory(folder: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ipynb", b" " * 60_000_000)
    assert len(buffer.getvalue()) < 100_000
    with pytest.raises(ValueError, match="unpacks to more than"):
        unpack(buffer.getvalue(), folder)


@given(st.binary(max_size=200) | st.integers(0, 400).flatmap(lambda i: st.just(zipped(**{"n.ipynb": OTHER})[:i])))
def test_any_bytes_are_refused_or_taken_up(tmp_path_factory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        unpack(data, folder)
    except ValueError:
        assert everything(folder) == {}


def test_the_widget_sends_what_has_changed_once(folder: Path) -> None:
    keeper = keep_work(folder)
    sent: list[dict] = []
    keeper.send = lambda message, buffers=None: sent.append(message)  # type: ignore[method-assign, assignment]
    keeper.look()
    keeper.look()
    assert [m["name"] for m in sent] == ["worked.ipynb"]
    touch(folder / "a.ipynb", OTHER)
    keeper.look()
    assert [m["name"] for m in sent] == ["worked.ipynb", "a.ipynb"]
    keeper._on_message(None, {"kind": "take", "name": "x.txt"}, [b"text"])
    assert sent[-1]["kind"] == "failed"


def test_a_notebook_that_was_only_run_makes_room(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(OTHER.replace(b"mine", b"as it came"))
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -q -m a"):
        subprocess.run(["git", "-C", str(tmp_path), *command.split()], check=True)
    os.utime(path, (1_000_000, 1_000_000))
    (tmp_path / "b.ipynb").write_bytes(EMPTY)
    os.utime(tmp_path / "b.ipynb", (1_000_000, 1_000_000))
    notebook = json.loads(path.read_bytes())
    touch(path, json.dumps(notebook | {"metadata": {"run": True}}).encode())
    assert changed_notebooks(tmp_path) == [path]
    assert unpack(zipped(**{"a.ipynb": OTHER}), tmp_path)[0].path == path
    assert path.read_bytes() == OTHER
    os.utime(path, (1_005_000, 1_005_000))
    assert unpack(zipped(**{"a.ipynb": EMPTY}), tmp_path)[0].path.name == "a (taken up 1).ipynb"


def test_an_exercise_keeps_its_work_under_the_same_name_as_the_course_map(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "exercises")
    assert keep_work().folder == folder / "exercises"  # no course map anywhere: the working folder
    (folder / "00_course_map.ipynb").write_bytes(EMPTY)
    assert keep_work().folder == folder
    assert keep_work()._session == keep_work(folder)._session  # as after a kernel was started again
    assert keep_work()._session != keep_work(folder / "exercises")._session
    touch(folder / "exercises" / "b.ipynb", OTHER)
    keeper, sent = keep_work(), []
    keeper.send = lambda message, buffers=None: sent.append(message)  # type: ignore[method-assign, assignment]
    keeper.look()
    assert "exercises/b.ipynb" in [message["name"] for message in sent]
    keeper._on_message(None, {"kind": "take", "name": "kept.zip"}, [zipped(**{"exercises/new.ipynb": OTHER})])
    assert (folder / "exercises" / "new.ipynb").read_bytes() == OTHER


def test_what_was_taken_up_is_not_lost_when_an_open_notebook_is_saved_over_it(folder: Path) -> None:
    keeper, sent = keep_work(folder), []
    keeper.send = lambda message, buffers=None: sent.append(message)  # type: ignore[method-assign, assignment]
    keeper._on_message(None, {"kind": "take", "name": "kept.zip"}, [zipped(**{"a.ipynb": OTHER})])
    assert (folder / "a.ipynb").read_bytes() == OTHER
    keeper.look()
    assert not (folder / "a (taken up 1).ipynb").exists()
    (folder / "a.ipynb").unlink()
    keeper.look()  # a notebook that was deleted stops nothing
    touch(folder / "a.ipynb", EMPTY)  # JupyterLab's "Overwrite"
    keeper.look()
    assert (folder / "a (taken up 1).ipynb").read_bytes() == OTHER
    assert {"kind": "taken", "files": [["a.ipynb", "a (taken up 1).ipynb"]]} in sent
    keeper.look()
    assert not (folder / "a (taken up 2).ipynb").exists()


@pytest.mark.browser
def test_work_survives_the_end_of_its_session(tmp_path: Path) -> None:
    port = lab.free_port()
    with lab.chromium() as chromium:
        browser = chromium.new_context()
        first = copy_of_the_course(tmp_path / "first")
        with lab.serve(first, port=port) as address:
            page = lab.open_notebook(browser, address, "work.ipynb")
            lab.run_all(page)
            keeper = page.locator(".course-keeper")
            (first / "other.ipynb").write_bytes(OTHER)
            expect(keeper).to_have_attribute("data-kept", "other.ipynb", timeout=20_000)
            with page.expect_download() as loaded:
                keeper.get_by_role("button", name="Download my work").click()
            with zipfile.ZipFile(loaded.value.path()) as archive:
                assert archive.read("other.ipynb") == OTHER
            page.close(run_before_unload=False)
        second = copy_of_the_course(tmp_path / "second")
        with lab.serve(second, port=port) as address:  # the same address, a fresh disk: as Binder starts again
            page = lab.open_notebook(browser, address, "work.ipynb")
            lab.run_all(page)
            keeper = page.locator(".course-keeper")
            keeper.get_by_role("button", name="Take up what this browser kept").click()
            expect(keeper.locator(".course-words")).to_contain_text("Taken up")
            assert (second / "other.ipynb").read_bytes() == OTHER
            if shots := os.environ.get("COURSE_TEST_SHOTS"):
                page.screenshot(path=Path(shots) / "keeper.png")
            file = keeper.locator("input[type=file]")
            file.set_input_files({"name": "evil.zip", "mimeType": "", "buffer": zipped(**{"../evil.ipynb": EMPTY})})
            expect(keeper.get_by_role("alert")).to_contain_text("no name of a notebook")
            page.close(run_before_unload=False)


def copy_of_the_course(folder: Path) -> Path:
    folder.mkdir()
    write(folder / "work.ipynb", "from course_utils.course.keeper import keep_work\nkeep_work()")
    (folder / "other.ipynb").write_bytes(EMPTY)
    for path in folder.glob("*.ipynb"):
        os.utime(path, (1_000_000, 1_000_000))
    return folder
