"""Files from the internet, put into the data folder: verified before use, put in place atomically, plain errors.

A file is downloaded into a staging folder *inside* the data folder (so that the last step is a rename on one file
system), checked there, and then takes its final name by ``os.replace``. A process that is killed half-way leaves
nothing, or a right file, under the final name; what it leaves in staging is removed by the next load.
"""

import errno
import hashlib
import os
import shutil
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import numpy as np

from course_utils._support.files import staging, written_atomically

__all__ = [
    "DataError",
    "Table",
    "check_record",
    "checksum",
    "data_root",
    "fetch",
    "place",
    "plain_errors",
    "staging",
]

TIMEOUT = 30.0  # seconds without a single byte after which a server counts as gone
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class DataError(RuntimeError):
    """A data set could not be had. The message says in one sentence what happened and what to do about it."""


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the data folder: `root`, else the environment's COURSE_DATA, else a cache folder of this user.

    >>> data_root("somewhere/data").name
    'data'
    """
    if root is None:
        root = os.environ.get("COURSE_DATA") or None
    if root is None:
        # Imported here, as pooch and tqdm below: most users of the package never download.
        import platformdirs

        root = platformdirs.user_cache_dir("course-utils")
    return Path(root).expanduser()


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def fetch(urls: Sequence[str], folder: Path, filename: str, *, known: str | None = None, progress: bool = True) -> Path:
    """Download `filename` from the first of `urls` that delivers it, into `folder` (a staging folder), and verify it.

    `known` is ``"md5:..."`` or ``"sha256:..."``; None leaves the verification to the caller. A zip archive
    is unpacked. A bar on standard error (in a notebook: a widget) shows the progress.

    Raises: DataError for a wrong checksum; what the network or the disk raised otherwise (see `plain_errors`). Of
    several failures the first is raised, because the first address is the main one.
    """
    failures: list[Exception] = []
    for url in urls:
        try:
            return _unzipped(_fetch_one(url, folder / filename, known, progress))
        except (OSError, HTTPException, zipfile.BadZipFile, DataError) as error:
            if getattr(error, "errno", None) in _FULL | _FORBIDDEN:
                raise  # a second address does not help against a full disk
            failures.append(error)
    raise failures[0]


def _fetch_one(url: str, path: Path, known: str | None, progress: bool) -> Path:
    import pooch  # type: ignore[import-untyped]
    from requests import Response
    from tqdm.auto import tqdm

    opened: list[Response] = []
    try:
        # pooch asks whether the bar is true, which it is with a total above zero; the real total comes with the answer.
        with tqdm(total=1, unit="B", unit_scale=True, unit_divisor=1024, desc=path.name, disable=not progress) as bar:
            pooch.HTTPDownloader(
                progressbar=bar if progress else False,
                chunk_size=2**16,
                timeout=TIMEOUT,
                hooks={"response": lambda response, **_: opened.append(response)},
            )(url, str(path), None)
    finally:
        for response in opened:  # pooch leaves the connection open when it breaks off
            response.close()
    if known is not None:
        algorithm, expected = known.split(":")
        if (got := checksum(path, algorithm)) != expected:
            raise DataError(
                f"{path.name} from {url} has a wrong checksum ({algorithm} {got}, expected {expected}) and was thrown "
                "away; try again, from another network if it stays so"
            )
    return path


def check_record(path: Path) -> str:
    """Compare a file with the checksum recorded beside it, in ``<file>.sha256``; write the record at the first use.

    This is for files whose checksum nobody publishes: it cannot tell whether the first download was the right file (the
    caller checks its structure), but it finds every later change. Returns the sha256.

    Raises: DataError if the file is not what it was at its first use.
    """
    record, digest = path.with_name(path.name + ".sha256"), checksum(path)
    if record.exists():
        if (before := record.read_text().split()[:1]) != [digest]:
            raise DataError(
                f"{path} is not what it was at its first use (sha256 {digest}, recorded {''.join(before) or 'nothing'}"
                f"); delete it and {record.name} to download it again"
            )
        return digest
    with suppress(OSError), written_atomically(record) as file:  # in a read-only folder files stay without a record
        file.write(f"{digest}  {path.name}\n".encode())
    return digest


def place(path: Path, target: Path) -> None:
    """Give a finished file its final name, atomically."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, target)


def _unzipped(path: Path) -> Path:
    """Return `path`, or, if it is a zip archive, the member in it of the same name, unpacked beside it.

    Reading a member to its end checks its CRC. Raises: DataError if the archive holds no such member.
    """
    if not zipfile.is_zipfile(path):
        return path
    folder = path.parent / "unzipped"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(path) as members:
        inside = next((m for m in members.namelist() if Path(m).name == path.name), None)
        if inside is None:
            raise DataError(f"the downloaded archive holds no {path.name}, only {', '.join(members.namelist()[:5])}")
        with members.open(inside) as source, (folder / path.name).open("wb") as target:
            shutil.copyfileobj(source, target)
    return folder / path.name


@dataclass(frozen=True)
class Table:
    """A text table as published: where it is, and what must be in it."""

    filename: str
    urls: tuple[str, ...]
    rows: int
    features: int
    classes: int
    first_label: int
    label_column: int  # 0 or -1
    delimiter: str | None = ","
    sha256: str | None = None
    test_rows: int = 0  # at the end of the file; 0: a quarter of each class

    def parse(self, path: Path, rows: int | None) -> np.ndarray:
        """Read a text table, gzipped or not, and check its structure: float32 of shape (rows, features + 1)."""
        try:
            with warnings.catch_warnings(action="ignore", category=UserWarning):  # an empty file is caught below
                values = np.loadtxt(path, dtype=np.float32, delimiter=self.delimiter, ndmin=2)
        except ValueError as error:
            raise DataError(f"{path.name} is not the table it should be ({error}); delete it") from error
        return self.check(path, values, rows)

    def check(self, path: Path, values: np.ndarray, rows: int | None) -> np.ndarray:
        """Return `values` if they have the shape and the labels of this table; None accepts any number of `rows`."""
        shape = (len(values) if rows is None else rows, self.features + 1)
        if values.shape != shape or not len(values):
            raise DataError(f"{path.name} has {values.shape} rows and columns instead of {shape}; delete it")
        labels, expected = np.unique(values[:, self.label_column]), np.arange(self.classes) + self.first_label
        if not np.array_equal(labels, expected) or not np.isfinite(values).all():
            raise DataError(
                f"{path.name} must have finite numbers and the labels {expected[0]} to {expected[-1]}, "
                f"got {labels[:12]}; delete it"
            )
        return values


@contextmanager
def plain_errors(name: str, root: Path, by_hand: str) -> Iterator[None]:
    """Turn what disk and network raise while `name` is loaded into one DataError, chained from its cause.

    `by_hand` says which file may be put where; whatever is not understood here passes unchanged.
    """
    try:
        yield
    except DataError as error:
        raise DataError(f"cannot load {name}: {error}; or put {by_hand}") from error.__cause__ or error
    except (OSError, HTTPException, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"cannot load {name}: {_sentence(error, root, by_hand)}") from error


def _sentence(error: Exception, root: Path, by_hand: str) -> str:
    code = getattr(error, "errno", None)
    elsewhere = "point the environment variable COURSE_DATA (or root=) at a folder"
    if code in _FULL:
        return f"the disk of the data folder {root} is full; free some space, or {elsewhere} on another disk"
    if code in _FORBIDDEN:
        return (
            f"the data folder {root} is read-only and does not hold the data ready for use; "
            f"{elsewhere} that you may write to"
        )
    if isinstance(error, EOFError | zlib.error | zipfile.BadZipFile) or type(error).__name__ == "BadGzipFile":
        return f"the file is damaged ({error}); delete it and call again, or put {by_hand}"
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} for {response.url}; try again later, or put {by_hand}"
    if _from_network(error):
        return (
            f"no internet, or the server is gone or broke off ({type(error).__name__}: {error}); try again "
            f'when connected, put {by_hand}, or use load_dataset("digits"), which needs none'
        )
    return f"{type(error).__name__}: {error}; check the data folder {root} (COURSE_DATA or root= chooses another)"


def _from_network(error: Exception) -> bool:
    from requests import RequestException

    return isinstance(error, RequestException | URLError | HTTPException | ConnectionError | TimeoutError)
