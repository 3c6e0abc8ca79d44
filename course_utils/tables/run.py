"""From a table's name to its printed rows, its results file and the report."""

import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically
from course_utils._support.journal import alone
from course_utils._support.paths import MEASURED, PACKAGE
from course_utils.data import DataError
from course_utils.tables import table, tables
from course_utils.tables.report import write_report
from course_utils.tables.results import in_order, plain_table, read_tables, write_tables
from course_utils.tables.section import Section
from course_utils.tables.workbench import Workbench
from course_utils.train import pick_device
from course_utils.train.sweep import SweepError

__all__ = ["publish", "run_tables"]


def run_tables(
    names: Sequence[str],
    out: Path,
    *,
    level: str,
    seeds: int | None,
    validate: bool,
    device: str = "auto",
    **workbench: Any,
) -> Iterator[str]:
    """Measure tables one after the other, and yield the lines to print.

    Each has its own folder in `out`; `out` itself holds measured.json and the report of all that was measured there.
    Raises: ValueError for a name, a device or a folder that is none, or a results file that cannot be read; SweepError
    at the end if a table could not be finished.
    """
    modules = {name: table(name) for name in names}
    pick_device(device)
    try:
        if modules:
            out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot write to {out}: {error}; choose another folder with --out") from error
    read_tables(out / "measured.json")  # one that cannot be read is found before the work, not after it
    failed: list[str] = []
    for name, module in modules.items():
        count = seeds or (module.SEEDS if level == "full" else 1)
        command = " ".join(
            [
                f"course table {name} --{level}",
                *([f"--seeds {seeds}"] if seeds else []),
                *(["--validate"] if validate else []),
                *([f"--device {device}"] if device != "auto" else []),
            ]
        )
        bench = Workbench(
            out.resolve() / name,
            name,
            level=level,
            seeds=range(count),
            validate=validate,
            device=device,
            command=command,
            **workbench,
        )
        yield f"# {module.TITLE} ({command})\n"
        started, parts = time.perf_counter(), []
        try:
            with alone(bench.journal_file):
                for part in measured_parts(module.run(bench)):
                    parts.append(part)
                    yield from part.lines()
        except (SweepError, ValueError, OSError) as error:  # the other tables are measured all the same
            failed.append(f"{name}: {error}")
            continue
        before = read_tables(out / "measured.json")
        if not any(row.results for part in parts for row in part.rows) and before.get(name, {}).get("records"):
            continue  # what was measured there when the data were at hand stays
        pictures = {part.name: draw(part, out / "pictures", name) for part in parts if part.draw}
        found = plain_table(module.TITLE, module.SECTION, level, parts, pictures)
        measured = in_order(before | {name: found}, tables())
        write_tables(out / "measured.json", measured)
        paths = write_report(measured, out)
        yield f"{time.perf_counter() - started:.0f} s; written: {', '.join(map(str, paths))}\n"
    if failed:
        raise SweepError("\n".join(failed))


def measured_parts(parts: Iterator[Section]) -> Iterator[Section]:
    """The parts of a table as they come; where data are not at hand, the sentence that says so is the last one."""
    try:
        yield from parts
    except DataError as error:
        yield Section("Not measured", [""], [], text=f"{error}.", name="not-measured")


def draw(part: Section, folder: Path, table: str) -> str:
    """Draw the picture of a part and return its file's name."""
    import matplotlib
    from matplotlib.figure import Figure

    from course_utils.plots import style

    assert part.draw is not None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table}-{part.name}.png"
    with matplotlib.rc_context(style()):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        part.draw(figure)
        save_small(figure, path)
    return path.name


def save_small(figure: Any, path: Path) -> None:
    """Save a figure as a PNG file of at most 192 colours, a third of the size: notebooks keep it."""
    from PIL import Image

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    picture = Image.open(buffer).convert("RGB").quantize(192, dither=Image.Dither.NONE)
    with written_atomically(path) as file:
        picture.save(file, "PNG", optimize=True)


def publish(out: Path, course: Path) -> Iterator[Path]:
    """Take what was measured in `out` into the clone `course`: the results file of its notebooks, and the report.

    Nothing is written before all of it is known to be fit; the results file, which the notebooks read, is the last.
    Raises: ValueError that says what is not fit.
    """
    file, folder = course / MEASURED.relative_to(PACKAGE.parent), course / "notebooks" / "tables"
    if not file.parent.is_dir():
        raise ValueError(f"{course} is no clone of the course: there is no {file.parent}")
    found = {name: each for name, each in read_tables(out / "measured.json").items() if each["records"]}
    before = read_tables(file)
    if not found:
        raise ValueError(f"nothing was measured in {out}; `course table NAME --out {out}` measures a table")
    for name, each in found.items():
        if reason := unfit(each, before.get(name), out):
            raise ValueError(f"{name} cannot be published: {reason}")
    merged = in_order(before | found, tables())
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for picture in pictures_of(found):
        with written_atomically(folder / "pictures" / picture) as copy:
            copy.write((out / "pictures" / picture).read_bytes())
    for picture in {path.name for path in (folder / "pictures").glob("*.png")} - set(pictures_of(merged)):
        (folder / "pictures" / picture).unlink()
    yield from write_report(merged, folder)
    write_tables(file, merged)
    yield file


def unfit(table: dict[str, Any], before: dict[str, Any] | None, out: Path) -> str:
    """Why a table may not stand in the course; empty where it may."""
    if any("validate" in record["what"].split() for record in table["records"]):
        return "it was measured on held-out rows, for choices; run it without --validate first"
    if any(record["origin"]["commit"].endswith("+") for record in table["records"]):
        return "the code that measured it is in no commit; commit it, delete its folder and run it again"
    if before and (less := lacking(table, before)):
        return f"it has {less}; run it again as it was, or take it out of {MEASURED.name} first, to begin anew"
    if lost := [picture for picture in pictures_of({"": table}) if not (out / "pictures" / picture).is_file()]:
        return f"{out / 'pictures'} lacks {', '.join(lost)}; run it again, nothing is measured twice"
    return ""


def lacking(table: dict[str, Any], before: dict[str, Any]) -> str:
    """What a table has less of than the one before; empty where it is as much."""
    if (before["level"], table["level"]) == ("full", "quick"):
        return "the quick level where the course has the full one"
    measured, there = (
        [part["name"] for part in each["parts"] if any(row["from"] for row in part["rows"])] for each in (table, before)
    )
    if lost := [name for name in there if name not in measured]:
        return f"nothing measured in the part{'s' * (len(lost) > 1)} {', '.join(lost)} where the course has"
    seeds, had = ({record["settings"].get("seed") for record in each["records"]} for each in (table, before))
    return f"fewer seeds than the course: {len(seeds)} for {len(had)}" if len(seeds) < len(had) else ""


def pictures_of(tables: dict[str, Any]) -> list[str]:
    """The names of the picture files of some tables."""
    return [part["picture"] for table in tables.values() for part in table["parts"] if part["picture"]]
