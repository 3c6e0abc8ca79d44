"""The data sets that are published as text tables: Sensorless Drive Diagnosis, Covertype and SUSY.

A published file is downloaded once, checked each time, and read from a copy in NumPy's format. Where there is none, a
sample in the folder of the set takes its place: some rows in the published format, in a file of the same ending (such
as ``some.data.gz``), or a pair of arrays ``NAME_X.npy`` (rows, features) and ``NAME_Y.npy`` (labels from 0).
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from course_utils.data.dataset import Dataset, stratified_split
from course_utils.data.sources import DataError, Table, check_record, checksum, fetch, place, staging

__all__ = ["TABLES", "load_table"]

UCI = "https://archive.ics.uci.edu"
LEGACY = f"{UCI}/ml/machine-learning-databases"
TABLES = {
    "sensorless": Table(
        "Sensorless_drive_diagnosis.txt",
        (
            f"{UCI}/static/public/325/dataset+for+sensorless+drive+diagnosis.zip",
            f"{LEGACY}/00325/Sensorless_drive_diagnosis.txt",
        ),
        rows=58_509,
        features=48,
        classes=11,
        first_label=1,
        label_column=-1,
        delimiter=None,
    ),
    "covertype": Table(
        "covtype.data.gz",
        ("https://ndownloader.figshare.com/files/5976039", f"{LEGACY}/covtype/covtype.data.gz"),
        rows=581_012,
        features=54,
        classes=7,
        first_label=1,
        label_column=-1,
        sha256="614360d0257557dd1792834a85a1cdebfadc3c4f30b011d56afee7ffb5b15771",
    ),
    "susy": Table(
        "SUSY.csv.gz",
        (f"{LEGACY}/00279/SUSY.csv.gz",),
        rows=5_000_000,
        features=18,
        classes=2,
        first_label=0,
        label_column=0,
        test_rows=500_000,
    ),
}


def load_table(name: str, root: Path, *, sample: bool, progress: bool) -> Dataset:
    """The data set `name` of `TABLES` from the data folder `root`, downloaded where it is not there.

    `sample`: whether a sample may take its place.
    """
    table, folder = TABLES[name], root / name
    if not (folder / table.filename).exists():
        values = _sample(table, folder) if sample else None
        if values is not None:
            note = f"a sample of {len(values):,} of {table.rows:,} rows"
            return _dataset(name, replace(table, test_rows=0), values, note)
        _download(table, root, name, progress)
    return _dataset(name, table, _published(table, root, name))


def _download(table: Table, root: Path, name: str, progress: bool) -> None:
    known = f"sha256:{table.sha256}" if table.sha256 else None
    with staging(root, name) as stage:
        file = fetch(table.urls, stage, table.filename, known=known, progress=progress)
        if table.sha256 is None:
            table.parse(file, table.rows)
        place(file, root / name / table.filename)


def _published(table: Table, root: Path, name: str) -> np.ndarray:
    """Read the published file: once as text, later from a copy in NumPy's format (for SUSY minutes against seconds)."""
    file = root / name / table.filename
    digest = checksum(file) if table.sha256 else check_record(file)
    if table.sha256 and digest != table.sha256:
        raise DataError(f"{file} has a wrong checksum (sha256 {digest}, expected {table.sha256}); delete it")
    copy = file.with_name(f"{file.name}.{digest[:16]}.npy")
    if copy.exists():
        check_record(copy)
        return np.load(copy)
    values = table.parse(file, table.rows)
    with suppress(OSError), staging(root, name) as stage:  # the copy only saves time
        np.save(stage / copy.name, values)
        place(stage / copy.name, copy)
        check_record(copy)
    return values


def _sample(table: Table, folder: Path) -> np.ndarray | None:
    """Some of the rows, where a sample lies in the folder: see the module's first lines."""
    if table.filename.endswith(".gz"):
        for path in sorted(folder.glob("*." + table.filename.split(".", 1)[1])):
            return table.parse(path, None)
    for x in sorted(folder.glob("*_X.npy")):
        y = x.with_name(x.name.replace("_X.npy", "_Y.npy"))
        if y.exists():
            return _sample_of_arrays(table, x, y)
    return None


def _sample_of_arrays(table: Table, x: Path, y: Path) -> np.ndarray:
    try:
        labels = np.load(y) + table.first_label
        columns = [labels, np.load(x)] if table.label_column == 0 else [np.load(x), labels]
        values = np.column_stack(columns).astype(np.float32)
    except ValueError as error:
        raise DataError(f"{x.name} or {y.name} in {x.parent} is damaged ({error}); delete both") from error
    return table.check(x, values, None)


def _dataset(name: str, table: Table, values: np.ndarray, note: str = "") -> Dataset:
    """Split, and standardise with the training part's statistics: the test part must not leak into them."""
    x = np.delete(values, table.label_column, axis=1)
    y = values[:, table.label_column].astype(np.int64) - table.first_label
    if table.test_rows:
        train, test = np.split(np.arange(len(y)), [len(y) - table.test_rows])
    else:
        train, test = stratified_split(y, 0.25, seed=0)
    x_train, x_test = x[train], x[test]
    for feature in range(x.shape[1]):  # one by one: a double-precision copy of SUSY would not fit into a small machine
        column = x_train[:, feature].astype(np.float64)
        mean, deviation = column.mean(), column.std()
        for part in (x_train, x_test):
            part[:, feature] = (part[:, feature] - mean) / (deviation or 1.0)  # a constant feature becomes zero
    parts = (torch.from_numpy(x_train), torch.from_numpy(y[train]), torch.from_numpy(x_test), torch.from_numpy(y[test]))
    return Dataset(name, *parts, classes=table.classes, note=note)
