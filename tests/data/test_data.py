"""Data sets: what they contain, and what happens when the download, the disk or a file goes wrong."""

import dataclasses
import errno
import gzip
import hashlib
import http.server
import io
import os
import pickle
import shutil
import signal
import socketserver
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils.data import DataError, Dataset, available, data_root, load_dataset, sources, tabular
from course_utils.data.vision import import_torchvision

ROWS = 110  # of the small file in Sensorless' format


def sensorless_text(seed: int = 0) -> bytes:
    x = np.random.default_rng(seed).normal(size=(ROWS, 48))
    lines = [" ".join(f"{v:.6e}" for v in row) + f" {i % 11 + 1}" for i, row in enumerate(x)]
    return ("\n".join(lines) + "\n").encode()


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    files: dict[str, bytes]
    pause = 0.0  # seconds after each tenth of a file
    cut = 1.0  # the part of a file that is sent before the connection breaks off
    asked = 0

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that is killed on purpose is no error


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        end, tenth = int(len(body) * self.server.cut), len(body) // 10 + 1
        for start in range(0, end, tenth):
            self.wfile.write(body[start : min(start + tenth, end)])
            time.sleep(self.server.pause)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.files = {"/Sensorless_drive_diagnosis.txt": sensorless_text()}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def address(server: Server, path: str) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def serve(monkeypatch: pytest.MonkeyPatch, server: Server, *paths: str, **changes: object) -> None:
    """Make `sensorless` a small table on the loopback server."""
    urls = tuple(address(server, path) for path in paths or ["/Sensorless_drive_diagnosis.txt"])
    table = dataclasses.replace(tabular.TABLES["sensorless"], urls=urls, rows=ROWS, **changes)
    monkeypatch.setitem(tabular.TABLES, "sensorless", table)


def sensorless(root: Path) -> Dataset:
    return load_dataset("sensorless", root=root, progress=False)


def leftovers(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if ".staging-" in str(path)]


# --- what is in them


def test_digits_are_whole_stratified_and_the_same_each_time() -> None:
    digits = load_dataset("digits")
    assert digits.x_train.shape == (1347, 1, 8, 8)
    assert digits.x_test.shape == (450, 1, 8, 8)
    assert digits.x_train.dtype == torch.float32
    assert digits.y_train.dtype == torch.int64
    assert (digits.input_shape, digits.features, digits.classes, digits.note) == ((1, 8, 8), 64, 10, "")
    assert digits.x_train.min() == 0
    assert digits.x_train.max() == 1
    shares = digits.y_test.bincount() / (digits.y_test.bincount() + digits.y_train.bincount())
    assert (shares - 0.25).abs().max() < 0.005
    again = load_dataset("digits")
    assert torch.equal(digits.x_test, again.x_test)
    assert torch.equal(digits.y_train, again.y_train)
    assert hashlib.sha256(digits.y_test.numpy().tobytes()).hexdigest()[:8] == "2b8bbc63"  # fixed for good


def test_a_split_holds_out_part_of_the_training_rows_only() -> None:
    digits = load_dataset("digits")
    parts = digits.split(0.2, seed=3)
    assert len(parts.y_train) + len(parts.y_test) == len(digits.y_train)
    rows = {x.numpy().tobytes() for x in digits.x_train}
    assert {x.numpy().tobytes() for x in parts.x_train} | {x.numpy().tobytes() for x in parts.x_test} == rows
    assert (parts.y_test.bincount() / digits.y_train.bincount() - 0.2).abs().max() < 0.01
    assert torch.equal(parts.y_test, digits.split(0.2, seed=3).y_test)
    assert not torch.equal(parts.x_test, digits.split(0.2, seed=4).x_test)
    for fraction in (0.0, 1.0, -1.0, float("nan"), 1e-9):
        with pytest.raises(ValueError, match="fraction must"):
            digits.split(fraction)


def test_subset_and_to() -> None:
    digits = load_dataset("digits")
    few = digits.subset(100)
    assert len(few.x_train) == len(few.y_train) == 100
    assert few.x_test is digits.x_test
    assert torch.equal(few.y_train, digits.subset(100).y_train)
    assert digits.to("meta").x_test.device.type == "meta"
    for n in (0, 1348):
        with pytest.raises(ValueError, match="between 1 and the 1347"):
            digits.subset(n)


def test_a_data_set_of_ones_own_is_checked() -> None:
    x, y = torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)
    assert Dataset("own", x, y, x, y, classes=2).features == 2
    with pytest.raises(ValueError, match=r"y\.long"):
        Dataset("own", x, y.float(), x, y, classes=2)
    with pytest.raises(ValueError, match="n rows"):
        Dataset("own", x, y, x, y[:2], classes=2)


def test_an_unknown_name_lists_the_names() -> None:
    with pytest.raises(
        ValueError, match="'digits', 'mnist', 'sensorless', 'covertype', 'susy', 'cifar10'; got 'mnits'"
    ):
        load_dataset("mnits")
    assert list(available()) == ["digits", "mnist", "sensorless", "covertype", "susy", "cifar10"]


def test_root_is_the_argument_then_the_environment_then_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_DATA", "from-env")
    assert data_root("given") == Path("given")
    assert data_root() == Path("from-env")
    monkeypatch.setenv("COURSE_DATA", "")
    assert "course-utils" in data_root().parts


def test_mnist(data_root: Path) -> None:
    mnist = load_dataset("mnist", root=data_root)
    assert mnist.x_train.shape == (60000, 1, 28, 28)
    assert mnist.x_test.shape == (10000, 1, 28, 28)
    assert mnist.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert mnist.x_train.min() == 0
    assert mnist.x_train.max() == 1
    assert round(float(mnist.x_train.mean()), 4) == 0.1307
    assert not leftovers(data_root)


def test_unpacked_mnist_is_read_without_writing(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_dataset("mnist", root=data_root)

    def refuse(*args: object, **kwargs: object) -> str:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert len(load_dataset("mnist", root=data_root).y_test) == 10000
    (data_root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"read-only.*COURSE_DATA"):
        load_dataset("mnist", root=data_root)


def test_a_corrupted_mnist_archive_is_fetched_again(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    source = import_torchvision().datasets.MNIST
    monkeypatch.setattr(source, "mirrors", [address(server, "/")])
    shutil.copytree(shared_data / "MNIST" / "raw", tmp_path / "MNIST" / "raw", copy_function=shutil.copyfile)
    raw = tmp_path / "MNIST" / "raw"
    raw.chmod(0o755)
    name = "t10k-labels-idx1-ubyte.gz"
    right = (raw / name).read_bytes()
    wrong = right[:100] + bytes([right[100] ^ 1]) + right[101:]
    (raw / name).write_bytes(wrong)
    (raw / name.removesuffix(".gz")).write_bytes(b"half of it")  # torchvision alone would take it for unpacked
    server.files[f"/{name}"] = wrong
    with pytest.raises(DataError, match=r"wrong checksum.*md5"):
        load_dataset("mnist", root=tmp_path, progress=False)
    assert not (raw / "train-images-idx3-ubyte").exists()
    server.files[f"/{name}"] = right
    assert len(load_dataset("mnist", root=tmp_path, progress=False).y_test) == 10000
    assert (raw / name).read_bytes() == right
    assert not leftovers(tmp_path)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "note"),
    [
        ("sensorless", (48,), 11, "a sample of 2,200 of 58,509 rows"),
        ("covertype", (54,), 7, "a sample of 92,962 of 581,012 rows"),
        ("cifar10", (3, 32, 32), 10, "a sample of 1,000 of 60,000 rows, test images only"),
    ],
)
def test_samples_are_accepted_and_say_so(
    shared_data: Path, name: str, shape: tuple[int, ...], classes: int, note: str
) -> None:
    sample = load_dataset(name, root=shared_data)  # reading a sample writes nothing
    assert (sample.input_shape, sample.classes, sample.note) == (shape, classes, note)
    assert sample.note in repr(sample)
    assert sample.y_test.unique().tolist() == list(range(classes))
    if name == "cifar10":
        assert len(sample.y_train) == 0
        assert sample.y_test[:5].tolist() == [3, 8, 8, 0, 6]
        assert sample.x_test.max() <= 1
    else:
        assert torch.allclose(sample.x_train.mean(0), torch.zeros(shape), atol=1e-4)
        deviations = sample.x_train.std(0)
        assert ((deviations - 1).abs().lt(1e-3) | deviations.eq(0)).all()


def test_a_sample_may_have_any_name(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "sensorless").mkdir()
    for path in (shared_data / "sensorless").glob("*_[XY].npy"):
        shutil.copyfile(path, tmp_path / "sensorless" / f"mine_{path.stem[-1]}.npy")
    assert sensorless(tmp_path).checksum == load_dataset("sensorless", root=shared_data).checksum
    (tmp_path / "cifar10").mkdir()
    (images,) = (shared_data / "cifar10").glob("*.bin")
    shutil.copyfile(images, tmp_path / "cifar10" / "some_test_images.bin")
    assert load_dataset("cifar10", root=tmp_path).checksum == load_dataset("cifar10", root=shared_data).checksum


def test_damaged_samples_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / "some_test_images.bin").write_bytes(b"\0" * 3074)
    with pytest.raises(DataError, match="whole number of images"):
        load_dataset("cifar10", root=tmp_path)
    (tmp_path / "sensorless").mkdir()
    for letter in "XY":
        (tmp_path / "sensorless" / f"some_{letter}.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(DataError, match="damaged"):
        sensorless(tmp_path)
    (tmp_path / "covertype").mkdir()
    (tmp_path / "covertype" / "few.data.gz").write_bytes(gzip.compress(b"1,2,3\n" * 1000)[:-9])
    with pytest.raises(DataError, match="damaged"):
        load_dataset("covertype", root=tmp_path)


# --- downloads, from a server on this machine


def test_a_download_is_checked_recorded_and_read_from_its_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monkeypatch, server)
    first = load_dataset("sensorless", root=tmp_path)
    assert "Sensorless_drive_diagnosis.txt" in capsys.readouterr().err  # the bar
    assert len(first.y_train) + len(first.y_test) == ROWS
    assert first.note == ""
    file = tmp_path / "sensorless" / "Sensorless_drive_diagnosis.txt"
    assert file.read_bytes() == sensorless_text()
    assert hashlib.sha256(file.read_bytes()).hexdigest() in file.with_name(file.name + ".sha256").read_text()
    assert not leftovers(tmp_path)
    monkeypatch.setattr(np, "loadtxt", None)  # the second time it is not parsed
    assert torch.equal(sensorless(tmp_path).x_test, first.x_test)
    assert server.asked == 1
    file.write_bytes(sensorless_text(1))
    with pytest.raises(DataError, match=r"first use.*delete it and Sensorless_drive_diagnosis.txt.sha256"):
        sensorless(tmp_path)


def test_the_second_address_and_a_zip_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("data/Sensorless_drive_diagnosis.txt", sensorless_text())
    server.files["/all.zip"] = archive.getvalue()
    serve(monkeypatch, server, "/gone.txt", "/all.zip")
    assert len(sensorless(tmp_path).y_train) > 0
    assert server.asked == 2


def test_full_data_take_precedence_over_a_sample(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    serve(monkeypatch, server)
    shutil.copytree(shared_data / "sensorless", tmp_path / "sensorless", copy_function=shutil.copyfile)
    (tmp_path / "sensorless").chmod(0o755)
    assert sensorless(tmp_path).note
    assert not load_dataset("sensorless", root=tmp_path, sample=False, progress=False).note
    assert not sensorless(tmp_path).note


def test_susy_keeps_its_last_rows_for_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    x = np.random.default_rng(0).normal(size=(50, 18))
    lines = [",".join([f"{i % 2:.18e}", *(f"{v:.18e}" for v in row)]) for i, row in enumerate(x)]
    server.files["/SUSY.csv.gz"] = gzip.compress("\n".join(lines).encode())
    urls = (address(server, "/SUSY.csv.gz"),)
    table = dataclasses.replace(tabular.TABLES["susy"], urls=urls, rows=50, test_rows=10)
    monkeypatch.setitem(tabular.TABLES, "susy", table)
    susy = load_dataset("susy", root=tmp_path, progress=False)
    assert susy.y_test.tolist() == [0, 1] * 5
    expected = (x[40:] - x[:40].mean(0)) / x[:40].std(0)
    assert torch.allclose(susy.x_test, torch.tensor(expected, dtype=torch.float32), atol=1e-5)


def test_whole_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    source = import_torchvision().datasets.CIFAR10
    rng, archive = np.random.default_rng(0), io.BytesIO()
    files = {"batches.meta": pickle.dumps({"label_names": list("abcdefghij")})}
    for name in ("data_batch_1", "test_batch"):
        images = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        files[name] = pickle.dumps({"data": images, "labels": [i % 10 for i in range(20)]})
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(source, "url", address(server, "/cifar.tar.gz"))
    monkeypatch.setattr(source, "tgz_md5", hashlib.md5(archive.getvalue()).hexdigest())
    monkeypatch.setattr(source, "train_list", [["data_batch_1", md5["data_batch_1"]]])
    monkeypatch.setattr(source, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": md5["batches.meta"]})
    server.files["/cifar.tar.gz"] = archive.getvalue()
    for _ in range(2):
        cifar = load_dataset("cifar10", root=tmp_path, progress=False)
        assert cifar.x_test.shape == (20, 3, 32, 32)
        assert torch.equal((cifar.x_test.flatten(1) * 255).round().byte(), torch.from_numpy(images))
    assert server.asked == 1


# --- what goes wrong


def nothing_kept(root: Path) -> bool:
    return not leftovers(root) and not (root / "sensorless" / "Sensorless_drive_diagnosis.txt").exists()


def test_a_broken_connection_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    serve(monkeypatch, server)
    server.cut = 0.5
    with pytest.raises(DataError, match=r"broke off.*load_dataset\(\"digits\"\)") as caught:
        sensorless(tmp_path)
    assert caught.value.__cause__ is not None
    assert nothing_kept(tmp_path)
    server.cut = 1.0
    assert sensorless(tmp_path).classes == 11


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (sensorless_text()[:-900], "rows and columns|not the table"),
        (b"", "rows and columns"),
        (b"<html>please log in</html>", "not the table"),
        (sensorless_text().replace(b" 11\n", b" 10\n"), "labels 1 to 11"),
        (b"nan" + sensorless_text()[13:], "finite|not the table"),
    ],
    ids=["truncated", "empty", "html", "labels", "nan"],
)
def test_a_file_of_the_wrong_structure_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server, body: bytes, message: str
) -> None:
    serve(monkeypatch, server)
    server.files["/Sensorless_drive_diagnosis.txt"] = body
    with pytest.raises(DataError, match=message):
        sensorless(tmp_path)
    assert nothing_kept(tmp_path)


def test_a_wrong_checksum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    serve(monkeypatch, server, sha256="0" * 64)
    with pytest.raises(DataError, match=r"wrong checksum \(sha256 .*expected 000.*by hand"):
        sensorless(tmp_path)
    assert nothing_kept(tmp_path)
    (tmp_path / "sensorless").mkdir()
    (tmp_path / "sensorless" / "Sensorless_drive_diagnosis.txt").write_bytes(sensorless_text())
    with pytest.raises(DataError, match=r"wrong checksum.*delete it"):
        sensorless(tmp_path)


def test_a_slow_server_is_waited_for_and_a_silent_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    serve(monkeypatch, server)
    monkeypatch.setattr(sources, "TIMEOUT", 0.3)
    server.pause = 0.02
    assert sensorless(tmp_path / "slow").classes == 11
    server.pause = 0.8
    with pytest.raises(DataError, match="no internet"):
        sensorless(tmp_path / "silent")
    assert nothing_kept(tmp_path / "silent")


def test_a_missing_file_names_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    serve(monkeypatch, server, "/gone.txt")
    with pytest.raises(DataError, match=r"answered 404.*by hand"):
        sensorless(tmp_path)


@pytest.mark.parametrize("name", ["sensorless", "mnist", "cifar10"])
def test_no_internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    nowhere = "http://127.0.0.1:9/"  # the discard port: nobody listens
    vision = import_torchvision().datasets
    table = dataclasses.replace(tabular.TABLES["sensorless"], urls=(nowhere, nowhere))
    monkeypatch.setitem(tabular.TABLES, "sensorless", table)
    monkeypatch.setattr(vision.MNIST, "mirrors", [nowhere])
    monkeypatch.setattr(vision.CIFAR10, "url", nowhere)
    with pytest.raises(
        DataError, match=r"no internet.*by hand.*load_dataset\(\"digits\"\), which needs none"
    ) as caught:
        load_dataset(name, root=tmp_path, progress=False)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    serve(monkeypatch, server)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", full)
    with pytest.raises(DataError, match=r"disk of the data folder .* is full; free some space.*COURSE_DATA"):
        sensorless(tmp_path)
    assert nothing_kept(tmp_path)


def test_a_killed_download_leaves_nothing_and_the_next_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    serve(monkeypatch, server)
    server.pause = 5.0
    code = (
        "import dataclasses, sys; from course_utils.data import load_dataset, tabular\n"
        "table = dataclasses.replace(tabular.TABLES['sensorless'], urls=(sys.argv[1],), rows=int(sys.argv[2]))\n"
        "tabular.TABLES['sensorless'] = table\n"
        "load_dataset('sensorless', root=sys.argv[3], progress=False)"
    )
    url = address(server, "/Sensorless_drive_diagnosis.txt")
    child = subprocess.Popen([sys.executable, "-c", code, url, str(ROWS), str(tmp_path)])
    try:
        end = time.monotonic() + 60
        while not any(path.is_file() for path in leftovers(tmp_path)):
            assert child.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert leftovers(tmp_path)  # nobody could clean up
    assert not (tmp_path / "sensorless").exists()
    server.pause = 0.0
    assert sensorless(tmp_path).classes == 11
    assert not leftovers(tmp_path)


def test_only_stale_staging_folders_are_swept(tmp_path: Path) -> None:
    with sources.staging(tmp_path, "one") as alive:
        foreign = tmp_path / ".staging-one-elsewhere-1-abc"
        old = tmp_path / ".staging-one-elsewhere-2-abc"
        for folder in (foreign, old):
            folder.mkdir()
        os.utime(old, (0, 0))
        with sources.staging(tmp_path, "two"):
            assert alive.exists()
            assert foreign.exists()
            assert not old.exists()


# --- importing


def test_data_imports_lazily_and_torchvision_imports_even_after_a_failed_attempt() -> None:
    code = """
import sys
import course_utils.data.load
heavy = {"torchvision", "matplotlib", "ipywidgets", "sklearn", "pooch", "requests"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
try:
    import torchvision
    absent = False
except RuntimeError:
    absent = True
from course_utils.data.vision import _libraries, import_torchvision
import torch
tv = import_torchvision()
assert tv is import_torchvision()
tv.models.resnet18(), tv.datasets.MNIST, tv.transforms.ToTensor()
assert len(_libraries) == absent and torch.ops.torchvision.nms is not None
import torchvision
print(torchvision is tv)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("True", 0), done.stderr
