"""The `course` command: one subcommand for each thing that a reader, a student or a lecturer does."""

import os
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from course_utils._support.extras import lacking, require
from course_utils._support.paths import PACKAGE
from course_utils.course import lab as course
from course_utils.course.lab import FIRST_PAGE, has_browser, in_container, lab_environment

__all__ = ["main"]


class Commands(click.Group):
    """The commands; one that lacks a package says which extra to install."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(context)
        except ModuleNotFoundError as error:
            if sentence := lacking(error.name or ""):
                raise click.ClickException(sentence) from error
            raise


@click.group(cls=Commands)
@click.version_option(package_name="course-utils")
def main() -> None:
    """An interactive course on compressing deep neural networks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console without "−" must not stop the work


@main.command()
@click.option("--port", default=8888, show_default=True, help="First port to try.")
@click.option("--ip", default=None, help="Address to listen on; by default localhost, in a container 0.0.0.0.")
@click.option("--no-browser", is_flag=True, help="Open no browser; print the address.")
@click.option("--yes", is_flag=True, help="Copy the notebooks without asking, if there are none.")
@click.argument("notebook", default=FIRST_PAGE)
def lab(port: int, ip: str | None, no_browser: bool, yes: bool, notebook: str) -> None:
    """Open the course map, or NOTEBOOK, in JupyterLab.

    If the package was installed without a clone, the notebooks are first copied to a new folder here.
    """
    require("jupyterlab", "anywidget", "matplotlib", "torchvision")
    folder = course_folder_or_copy(yes)
    if not (folder / notebook).is_file():
        raise click.ClickException(
            f"there is no {notebook} in {folder}; a notebook of the course is notebooks/NAME.ipynb"
        )
    address = ip or ("0.0.0.0" if in_container() else "localhost")
    arguments = [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{notebook}"]
    arguments += [f"--ServerApp.ip={address}", f"--ServerApp.port={port}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")  # the usual user of a container; JupyterLab refuses it otherwise
    if no_browser or not has_browser():
        arguments.append("--no-browser")
        click.echo("No browser is opened: copy the address printed below, with its token, into your browser.", err=True)
    os.environ.update(lab_environment())
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(arguments)  # in this process, so that the server and its kernels end with it


@main.command()
@click.argument("names", nargs=-1)
@click.option("--root", type=click.Path(file_okay=False), default=None, help="The data folder to use.")
@click.option("--full", is_flag=True, help="Download the full data set even if a sample of it is installed.")
def data(names: tuple[str, ...], root: str | None, full: bool) -> None:
    """Download and verify the data sets NAMES; without names, list them."""
    from course_utils.data import DataError, available, data_root, load_dataset

    if not names:
        for name, about in available().items():
            click.echo(f"{name:11} {about}")
    for name in names:
        try:
            click.echo(load_dataset(name, root=root, sample=not full))
        except (DataError, ValueError) as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"data folder: {data_root(root)}")


@main.command()
@click.argument("names", nargs=-1)
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--about", "report", is_flag=True, help="Print versions and the machine, for a bug report.")
def bench(names: tuple[str, ...], device: str, report: bool) -> None:
    """Measure all claims about speed, or those whose file names contain one of NAMES, and print one table."""
    from course_utils.bench.about import about

    if report:
        for line in about():
            click.echo(line)
        return
    from course_utils.bench import NOT_MEASURED, claims, table

    if unknown := [name for name in names if not any(name in claim for claim in claims())]:
        raise click.ClickException(f"no claim is called {', '.join(unknown)}; there are {', '.join(claims())}")
    chosen = [claim for claim in claims() if not names or any(name in claim for name in names)]
    not_measured = 0
    for line in table(chosen, device):
        click.echo(line)
        not_measured += line.startswith(NOT_MEASURED)
    if not_measured:
        raise click.ClickException(f"{not_measured} of {len(chosen)} claims could not be measured here")


@main.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All tables, in the order of the lecture.")
@click.option("--quick/--full", default=False, help="Short training and one seed, or the published settings.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=None,
    help="Number of seeds; by default one with --quick, and the table's number with --full.",
)
@click.option("--validate", is_flag=True, help="Measure on a validation set, taken from the training rows.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"), show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), default=None, help="Trainings at once; default: one per processor.")
@click.option("--scheduler", default=None, help="Address of a Dask cluster to run on.")
@click.option("--device", default="auto", show_default=True, help="cpu or cuda; auto takes a GPU if there is one.")
@click.option("--publish", "into_course", is_flag=True, help="Store the results in this clone, for its notebooks.")
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Write everything that the course has measured, with all records, as one page into this folder.",
)
def table(
    names: tuple[str, ...],
    everything: bool,
    quick: bool,
    seeds: int | None,
    validate: bool,
    out: Path,
    jobs: int | None,
    scheduler: str | None,
    device: str,
    into_course: bool,
    report: Path | None,
) -> None:
    """Measure the lecture's tables NAMES again, beside the published numbers; without NAMES list them.

    Results, files, checkpoints and the report are kept in the folder OUT, so that an interrupted run is resumed;
    OUT/NAME/*-so-far.md shows the results so far. Where data are missing, all else is measured, and the command ends
    with an error.
    """
    from course_utils.tables import tables
    from course_utils.tables.measured.publish import publish, report_of_course
    from course_utils.tables.run import NotMeasured, run_tables
    from course_utils.train.sweep import SweepError

    wanted = tables() if everything else list(names)
    if everything and names:
        raise click.ClickException(f"--all measures every table: leave out {', '.join(names)}, or --all")
    if not wanted and not into_course and not report:
        click.echo("\n".join(tables()))
        return
    lines = run_tables(
        wanted,
        out,
        level="quick" if quick else "full",
        seeds=seeds,
        validate=validate,
        jobs=jobs,
        scheduler=scheduler,
        device=device,
    )
    missing = ""
    try:
        try:
            for line in lines:
                say(line)
        except NotMeasured as error:
            missing = str(error)
        for path in publish(out, course_folder()) if into_course else ():
            say(f"written: {path}")
        if report:
            say(f"written: {report_of_course(report)}")
    except (OSError, ValueError, SweepError) as error:
        raise click.ClickException(str(error)) from error
    if missing:
        raise click.ClickException(f"not everything is measured:\n{missing}")


@main.command()
@click.argument("notebooks", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("pages"), show_default=True)
@click.option("--slides", is_flag=True, help="Also write slides for class.")
@click.option("--jobs", type=click.IntRange(min=1), default=None, help="Notebooks at once; default: one per processor.")
def export(notebooks: tuple[Path, ...], out: Path, slides: bool, jobs: int | None) -> None:
    """Convert NOTEBOOKS, by default all, to pages whose sliders work without a kernel and without a network.

    Each page is one file of at most 10 MB in the folder OUT, with an index page. The notebooks are run for this.
    """
    from course_utils.publish.export import export_all

    paths = notebooks_in(notebooks or sorted((course_folder() / "notebooks").glob("*.ipynb")))
    try:
        exported = export_all(paths, out, slides=slides, jobs=jobs)
    except (RuntimeError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for notebook in exported:
        sizes = ", ".join(f"{name} ({size / 1e6:.1f} MB)" for name, size in notebook.files.items())
        click.echo(f"{sizes}: {notebook.panels} panels, {notebook.seconds:.0f} s")
    click.echo(f"open {out / 'index.html'}")


@main.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("kit"), show_default=True)
@click.option("--pages", type=click.Path(file_okay=False, path_type=Path), default=Path("pages"), show_default=True)
@click.option("--lab", default=None, help="Address of the JupyterLab that links open.  [default: `course lab`'s]")
@click.option("--time", "timing", is_flag=True, help="First run all notebooks and measure the time of each cell.")
def kit(out: Path, pages: Path, lab: str | None, timing: bool) -> None:
    """Write a lecturer's kit: a map of the lecture, minutes, misconceptions and questions for class.

    Writes index.html for a browser and kit.md for JupyterLab into the folder OUT. If `course export` has written pages
    into the folder PAGES, links lead there too.
    """
    from course_utils.course.syllabus import pages as course
    from course_utils.publish.kit import timing as clock
    from course_utils.publish.kit.pages import Kit
    from course_utils.publish.kit.write import LAB, write

    root = course_folder()
    sections = course(root / "notebooks")
    if timing:
        paths = [page.path for page in sections if page.path]
        try:
            clock.write(clock.measure(paths))
        except RuntimeError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"measured: {clock.FILE}")
    try:
        written = write(Kit(root, out.resolve(), sections, clock.read(), pages), lab=lab or LAB)
    except OSError as error:
        raise click.ClickException(f"cannot write to {out}: {error}; choose another folder with --out") from error
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("course_utils"):
            raise
        raise click.ClickException(
            f"{error.name} is not here: the kit answers the questions for class, so what students get is without it; "
            "run `course kit` in the lecturer's own copy of the course"
        ) from error
    for path in written:
        click.echo(f"written: {path}")


@main.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--check", is_flag=True, help="Change nothing; list what is wrong, and fail if anything is.")
def tidy(paths: tuple[Path, ...], check: bool) -> None:
    """Remove widget state, timestamps and progress bars from notebooks; their pictures stay."""
    from course_utils.course.tidy import problems, tidy_file

    bad = 0
    for path in notebooks_in(paths or (course_folder() / "notebooks",)):
        try:
            if not check and tidy_file(path):
                click.echo(f"tidied {path}")
            found = problems(path)
        except (OSError, ValueError) as error:
            found = [f"cannot be read as a notebook, or be written: {error}"]
        for problem in found:
            bad += 1
            click.echo(f"{path} {problem}", err=True)
    sys.exit(1 if bad else 0)


@main.command("map")
@click.option("--check", is_flag=True, help="Change nothing; list what is out of date, and fail if anything is.")
def course_map(check: bool) -> None:
    """Write the course map, the glossary, and the navigation lines of the notebooks."""
    from course_utils.course.map import stale, write

    root = course_folder()
    paths = [path for path, _ in stale(root)] if check else write(root)
    for path in paths:
        click.echo(f"{'out of date, run `course map`:' if check else 'written:'} {path.relative_to(root)}")
    sys.exit(1 if check and paths else 0)


@main.command("binder-link")
def binder_link() -> None:
    """Print the link that runs this repository on Binder, and a badge with it for a README.

    The link consists of the address of the remote origin and the current branch; Binder opens only what has been
    pushed there.
    """
    from course_utils._support.git import current_branch, origin
    from course_utils.course.binder_link import BinderLinkError, badge, binder_link

    root = course_folder()
    address = origin(root)
    if address is None:
        raise click.ClickException(
            f"the repository in {root} has no remote called origin, so its public address is not known; push it to "
            "GitHub or GitLab and run `git remote add origin ADDRESS`"
        )
    try:
        link = binder_link(address, branch=current_branch(root), path=FIRST_PAGE)
    except BinderLinkError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{link}\n\n{badge(link)}")


@main.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=None, help="By default SOURCE-grades.")
@click.option("--exercise", default=None, help="Grade only this exercise again, such as ex04; other rows stay.")
@click.option("--student", default=None, help="Grade only this student again, by the name in grades.csv.")
@click.option("--again", is_flag=True, help="Grade everything again, even what has not changed.")
@click.option("--jobs", type=click.IntRange(min=1), default=None, help="Students at once; default: one per processor.")
@click.option("--scheduler", default=None, help="Address of a Dask cluster to run on.")
def grade(
    source: Path,
    out: Path | None,
    exercise: str | None,
    student: str | None,
    again: bool,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Grade the submissions in SOURCE, a folder or zip file from a learning platform.

    Writes grades.csv, needs-attention.csv, marks.csv (for your own marks, which stay), a page with the written answers
    of each exercise, and a feedback page for each student. An interrupted run is resumed. Before the first student of
    an exercise the model solution and an empty submission are graded: unless they get all points and none, it stops.
    """
    from tqdm import tqdm

    from course_utils._support.side_by_side import WorkerLost
    from course_utils.exercises.grading.grade import grade
    from course_utils.exercises.grading.sandbox import check_system, uncovered

    out = out or source.resolve().with_name(f"{source.stem}-grades")
    try:
        check_system()
        if warning := uncovered():
            click.secho(f"Warning: {warning}", err=True, fg="yellow")
        graded = grade(
            source,
            out,
            folder=course_folder() / "notebooks" / "exercises",
            exercise=exercise,
            student=student,
            again=again,
            jobs=jobs,
            scheduler=scheduler,
            progress=lambda records, total: tqdm(records, total=total, unit="submission"),
        )
    except (OSError, ValueError, WorkerLost) as error:
        raise click.ClickException(str(error)) from error
    if (exercise or student) and not graded.now:
        wanted = " ".join(filter(None, [student, exercise]))
        raise click.ClickException(
            f"nothing was graded: {source} has no submission of {wanted} that can be read; names are those of "
            f"{out / 'grades.csv'}"
        )
    attention = sum(len(result.attention) for result in graded.results)
    click.echo(f"{len(graded.results)} rows, {graded.now} of them graded now: {out / 'grades.csv'}")
    click.echo(f"{attention} things that need attention: {out / 'needs-attention.csv'}")


@main.command()
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", default=None, help="Your name or student number; by default that of your last hand-in.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=None, help="Folder for the file.")
def handin(notebook: Path, name: str | None, out: Path | None) -> None:
    """Check the exercise NOTEBOOK and write the one file to hand in; NOTEBOOK is not changed.

    The file is called EXERCISE_NAME.ipynb and is written to the folder `handed_in` beside the notebook, or to OUT.
    """
    from course_utils.exercises.handin.prepare import FOLDER, last_student, prepare, write

    folder = out or notebook.parent / FOLDER
    student = name or last_student(folder)
    if not student:
        raise click.ClickException("add --name with your name or student number, as your lecturer knows you")
    try:
        prepared = prepare(notebook.read_bytes(), student=student, file=notebook.name)
        written = write(prepared, folder, notebook=notebook)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for warning in prepared.warnings:
        click.echo(f"to fix: {warning}", err=True)
    for repair in prepared.repaired:
        click.echo(f"repaired in the file: {repair}", err=True)
    click.echo(f"written: {written.path}\nreceipt: {prepared.receipt} (keep it)")
    if written.earlier:
        click.echo(written.earlier)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--repo", default=None, help="Public address that DIR will be pushed to; by default its origin.")
@click.option("--branch", default="main", show_default=True, help="Branch of DIR.")
@click.option("--overwrite", is_flag=True, help="Overwrite files that were changed in DIR by hand as well.")
def handout(folder: Path, repo: str | None, branch: str, overwrite: bool) -> None:
    """Write what students get into DIR, a separate git repository, ready to be pushed for Binder.

    That is the course without solutions, hidden tests and other files of the lecturer. Run again, it adds one commit.
    """
    from course_utils._support.git import GitError
    from course_utils.exercises.handout.write import hand_out

    try:
        done = hand_out(course_folder(), folder, repo=repo, branch=branch, overwrite=overwrite)
    except (ValueError, GitError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{done.files} files, {done.size / 1e6:.1f} MB, with {', '.join(done.exercises) or 'no exercises'}")
    click.echo(f"commit {done.commit[:10]} in {folder}" if done.commit else f"nothing has changed in {folder}")
    for remark in done.remarks:
        click.secho(remark, err=True, fg="yellow")
    if done.link:
        click.echo(f"push it with `git -C {folder} push origin {branch}`; then this link opens it:\n{done.link}")


@main.command("new-exercise")
@click.argument("name")
def new_exercise(name: str) -> None:
    """Create the exercise NAME, such as ex10 for section 10, from templates; or add the cells of new tasks."""
    from course_utils.exercises.handout.new_exercise import new_exercise, places

    root = course_folder()
    try:
        done = new_exercise(root, name)
    except (ValueError, SyntaxError) as error:
        raise click.ClickException(str(error)) from error
    module, teacher, notebook = (path.relative_to(root) for path in places(root, name))
    for path in done.new:
        click.echo(f"written: {path.relative_to(root)}")
    for what, cells in (("added", done.added), ("updated", done.updated)):
        if cells:
            click.echo(f"{what} in {notebook}: {', '.join(cells)}")
    click.echo(
        f"\n1. Write the tasks in {module}, with their cases and mistakes.\n"
        f"2. Write right and wrong answers in {teacher}.\n"
        f"3. Run `course new-exercise {name}` again, and write the texts and the solutions in {notebook}.\n"
        f"4. Run `python -m pytest tests/exercises/test_exercises.py -k {name}`, then `course map`.\n"
        "5. Add the files to git."
    )


def notebooks_in(paths: Iterable[Path]) -> list[Path]:
    """The notebooks among the paths, and those in folders among them; an error for a path that leads to none."""
    notebooks = []
    for path in paths:
        files = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        if not files or any(file.suffix != ".ipynb" for file in files):
            raise click.ClickException(f"{path} is no notebook and no folder with notebooks; name a file NAME.ipynb")
        notebooks += files
    return notebooks


def say(line: str) -> None:
    """Print a line; if the output is closed (`| head`), go on without it."""
    try:
        click.echo(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def course_folder() -> Path:
    """The folder that holds `notebooks/`; an error that says where it was searched, if there is none."""
    if folder := course.course_folder():
        return folder
    raise click.ClickException(
        f"the course's notebooks are neither in {Path.cwd()} nor beside the package in {PACKAGE.parent}; "
        "run this command in the folder that you cloned, or `course lab` for a copy of the notebooks"
    )


def course_folder_or_copy(yes: bool) -> Path:
    """The course's folder; if there is none, a copy of the notebooks, after the reader has agreed."""
    if folder := course.course_folder():
        return folder
    target = Path.cwd() / course.COPY
    click.echo(f"There are no notebooks of the course in {Path.cwd()}.")
    if not yes and not click.confirm(f"Copy them to {target} and open them there?", default=True):
        raise click.ClickException("nothing was copied; run `course lab` in the folder that you cloned")
    try:
        return course.copied(target)
    except OSError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
