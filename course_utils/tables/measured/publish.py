"""From a folder where tables were measured into the course: what is fit to be published, and its files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from course_utils._support.files import written_atomically
from course_utils._support.paths import MEASURED, NOTEBOOKS, PACKAGE
from course_utils.tables import tables
from course_utils.tables.measured.overview import write_overview
from course_utils.tables.measured.records import Content, read_tables, write_table
from course_utils.tables.measured.report import write_report

__all__ = ["publish", "report_of_course"]


def publish(out: Path, course: Path) -> Iterator[Path]:
    """Take what was measured in `out` into the clone `course`: the tables' files, their pictures and the overview.

    Nothing is written before all of it is known to be fit; the tables' files, which the notebooks read, are the last.
    Raises: ValueError that says what is not fit.
    """
    records, folder = course / MEASURED.relative_to(PACKAGE.parent), course / "notebooks" / "tables"
    if not records.parent.is_dir():
        raise ValueError(f"{course} is no clone of the course: there is no {records.parent}")
    everything = read_tables(out / "measured", tables())
    new = {name: content for name, content in everything.items() if content["records"]}
    old = read_tables(records, tables())
    if not new:
        raise ValueError(f"nothing was measured in {out}; `course table NAME --out {out}` measures a table")
    for name, content in new.items():
        if reason := unfit(content, old.get(name), out):
            raise ValueError(f"{name} cannot be published: {reason}")
    published = {name: new.get(name) or old[name] for name in tables() if name in old | new}
    for place in (records, folder / "pictures"):
        place.mkdir(parents=True, exist_ok=True)
    for picture in pictures_of(new):
        with written_atomically(folder / "pictures" / picture) as copy:
            copy.write((out / "pictures" / picture).read_bytes())
    for picture in {path.name for path in (folder / "pictures").glob("*.png")} - set(pictures_of(published)):
        (folder / "pictures" / picture).unlink()
    yield write_overview(published, folder, records)
    for name, content in new.items():
        write_table(records / f"{name}.json", content)
        yield records / f"{name}.json"


def report_of_course(folder: Path) -> Path:
    """Write the report of all that the course has measured, report.html, into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_report(read_tables(MEASURED, tables()), folder / "report.html", NOTEBOOKS / "tables" / "pictures")


def unfit(new: Content, old: Content | None, out: Path) -> str:
    """Why a table may not stand in the course; empty where it may."""
    if any("validate" in record["what"].split() for record in new["records"]):
        return "it was measured on held-out rows, for choices; run it without --validate first"
    if any(record["origin"]["commit"].endswith("+") for record in new["records"]):
        return "the code that measured it is in no commit; commit it, delete its folder and run it again"
    if old and (reason := lacking(new, old)):
        return f"it has {reason}; run it again as it was, or delete its file in {MEASURED.name} first, to begin anew"
    if lost := [picture for picture in pictures_of({"": new}) if not (out / "pictures" / picture).is_file()]:
        return f"{out / 'pictures'} lacks {', '.join(lost)}; run it again, nothing is measured twice"
    return ""


def lacking(new: Content, old: Content) -> str:
    """What a table has less of than the one before; empty where it is as much."""
    if (old["level"], new["level"]) == ("full", "quick"):
        return "the quick level where the course has the full one"
    new_parts, old_parts = measured_parts(new), measured_parts(old)
    if lost := [name for name in old_parts if name not in new_parts]:
        return f"nothing measured in {', '.join(lost)} where the course has"
    new_seeds, old_seeds = seeds_of(new), seeds_of(old)
    if len(new_seeds) < len(old_seeds):
        return f"fewer seeds than the course: {len(new_seeds)} for {len(old_seeds)}"
    return ""


def measured_parts(content: Content) -> list[str]:
    """The names of the parts with a row that was measured."""
    return [part["name"] for part in content["parts"] if any(row["from"] for row in part["rows"])]


def seeds_of(content: Content) -> set[int | None]:
    """The seeds of all records."""
    return {record["settings"].get("seed") for record in content["records"]}


def pictures_of(contents: Mapping[str, Content]) -> list[str]:
    """The names of the picture files of some tables."""
    return [part["picture"] for content in contents.values() for part in content["parts"] if part["picture"]]
