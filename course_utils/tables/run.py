"""From a table's name to its printed rows, its file and the report."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from course_utils._support.journal import alone
from course_utils.data import DataError
from course_utils.tables import table, tables
from course_utils.tables.measured.overview import write_overview
from course_utils.tables.measured.records import read_tables, write_table
from course_utils.tables.measured.report import write_report
from course_utils.tables.workbench import Section, Workbench
from course_utils.tables.workbench.content import content_of
from course_utils.tables.workbench.pictures import draw_picture
from course_utils.train import pick_device
from course_utils.train.sweep import SweepError

__all__ = ["NotMeasured", "run_tables"]


class NotMeasured(RuntimeError):
    """Parts of tables for which data are missing; all else is measured and written."""


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

    Each has its own folder in `out`; `out` itself holds measured/NAME.json and the report of all that was measured
    there. Raises: ValueError for an unknown name or device, for a folder that cannot be written, or for a table's file
    that cannot be read; at the end SweepError if a table could not be finished, or otherwise NotMeasured if data are
    missing for one.
    """
    modules = {name: table(name) for name in names}
    pick_device(device)
    try:
        if modules:
            out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot write to {out}: {error}; choose another folder with --out") from error
    read_tables(out / "measured", tables())  # a file that cannot be read is found before the work, not after it
    failed: list[str] = []
    missing: list[str] = []
    for name, module in modules.items():
        command = command_of(name, level=level, seeds=seeds, validate=validate, device=device)
        bench = Workbench(
            out.resolve() / name,
            name,
            level=level,
            seeds=range(seeds or (module.SEEDS if level == "full" else 1)),
            validate=validate,
            device=device,
            command=command,
            **workbench,
        )
        yield f"# {module.TITLE} ({command})\n"
        started, sections = time.perf_counter(), []
        try:
            with alone(bench.journal_file):
                for section in sections_of(module, bench):
                    sections.append(section)
                    yield str(section)
        except (SweepError, ValueError, OSError) as error:  # the other tables are measured all the same
            failed.append(f"{name}: {error}")
            continue
        missing += [f"{name}, {section.title}: {section.missing}" for section in sections if section.missing]
        if paths := write(name, module, level, sections, out):
            yield f"{time.perf_counter() - started:.0f} s; written: {', '.join(map(str, paths))}\n"
    if failed:
        raise SweepError("\n".join(failed + missing))
    if missing:
        raise NotMeasured("\n".join(missing))


def command_of(name: str, *, level: str, seeds: int | None, validate: bool, device: str) -> str:
    """The command that measures a table in this way."""
    options = {f"--seeds {seeds}": seeds, "--validate": validate, f"--device {device}": device != "auto"}
    return " ".join([f"course table {name} --{level}", *(option for option, given in options.items() if given)])


def sections_of(module: ModuleType, bench: Workbench) -> Iterator[Section]:
    """The sections of a table as they come; where data are missing, the sentence that says so is the last one."""
    try:
        yield from module.run(bench)
    except DataError as error:
        yield Section("Not measured", [""], [], text=f"{error}.", name="not-measured", missing=str(error))


def write(name: str, module: ModuleType, level: str, sections: Sequence[Section], out: Path) -> list[Path]:
    """Write the table's file and the report of all tables in `out`.

    Where nothing was measured now, what was measured when the data were there stays, and nothing is written.
    """
    old = read_tables(out / "measured", tables()).get(name)
    if old and old["records"] and not any(row.results for section in sections for row in section.rows):
        return []
    pictures = {section.name: f"{name}-{section.name}.png" for section in sections if section.draw}
    for section in sections:
        if section.name in pictures:
            draw_picture(section, out / "pictures" / pictures[section.name])
    (out / "measured").mkdir(exist_ok=True)
    write_table(out / "measured" / f"{name}.json", content_of(module.TITLE, module.SECTION, level, sections, pictures))
    contents = read_tables(out / "measured", tables())
    return [
        write_overview(contents, out, out / "measured"),
        write_report(contents, out / "report.html", out / "pictures"),
    ]
