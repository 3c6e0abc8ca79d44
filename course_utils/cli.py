"""The `course` command: one subcommand for each thing that a reader, a student or a lecturer does."""

import os
import subprocess
import sys
import webbrowser
from pathlib import Path

import click

__all__ = ["main"]

PACKAGE = Path(__file__).parent
FIRST_PAGE = "notebooks/00_course_map.ipynb"


@click.group()
@click.version_option(package_name="course-utils")
def main() -> None:
    """An interactive course on compressing deep neural networks."""


@main.command()
@click.option("--port", default=8888, show_default=True, help="First port to try.")
@click.option("--ip", default=None, help="Address to listen on: this machine alone, or everywhere in a container.")
@click.option("--no-browser", is_flag=True, help="Open nothing; print the address.")
@click.argument("notebook", default=FIRST_PAGE)
def lab(port: int, ip: str | None, no_browser: bool, notebook: str) -> None:
    """Open the course in JupyterLab, on its map or on NOTEBOOK."""
    folder = course_folder()
    address = ip or ("0.0.0.0" if in_container() else "localhost")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    command += [f"--ServerApp.ip={address}", f"--ServerApp.port={port}", f"--LabApp.default_url=/lab/tree/{notebook}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # the usual user of a container; JupyterLab refuses it otherwise
    if no_browser or not has_browser():
        command.append("--no-browser")
        click.echo("No browser is opened here: copy the address printed below, with its token, into yours.", err=True)
    try:
        sys.exit(subprocess.run(command, env=lab_environment()).returncode)
    except KeyboardInterrupt:  # Ctrl-C goes to JupyterLab too, which ends by itself
        sys.exit(0)


def course_folder() -> Path:
    """The folder that holds `notebooks/`: the working folder, or the clone that this package was installed from."""
    for folder in (Path.cwd(), PACKAGE.parent):
        if (folder / FIRST_PAGE).is_file():
            return folder
    raise click.ClickException(
        f"the course's notebooks are neither in {Path.cwd()} nor beside the package in {PACKAGE.parent}; "
        "run `course lab` in the folder that you cloned"
    )


def in_container() -> bool:
    """Inside Docker or Podman only an address that is open to the host can be reached from it."""
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def has_browser() -> bool:
    """Whether a browser with a screen can be opened here."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def lab_environment() -> dict[str, str]:
    """The environment with the course's own JupyterLab defaults behind the reader's: no news pop-up."""
    paths = [p for p in (os.environ.get("JUPYTER_CONFIG_PATH"), str(PACKAGE / "lab")) if p]
    return os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
