"""JupyterLab in headless Chromium, for tests and benchmarks of what a reader sees."""

import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.course.lab import lab_environment

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["chromium", "open_notebook", "run_all", "serve"]

# Without the last four, Chromium calls home at every start.
FLAGS = "--no-sandbox --disable-gpu --no-first-run --disable-quic --disable-background-networking"
FLAGS += " --disable-component-update --disable-sync --disable-dev-shm-usage"

PATIENCE = 20.0  # seconds for a server to end


# No cell has waited or run for a second. A cell that waits shows [*]; the kernel's indicator alone misses short runs.
RESTED = """() => {
  const busy = document.querySelector('.jp-Notebook-ExecutionIndicator[data-status="busy"]')
    || [...document.querySelectorAll(".jp-InputArea-prompt")].some((prompt) => prompt.textContent.includes("*"));
  if (busy || !window.restingSince) window.restingSince = performance.now();
  return performance.now() - window.restingSince > 1000;
}"""


@contextmanager
def serve(
    folder: Path,
    command: Sequence[str] | None = None,
    *,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run JupyterLab on `folder` while the context lasts, and give its address up to the path.

    environment: variables other than those of `course lab`.
    """
    port, token = port or free_port(), secrets.token_hex(12)
    command = command or [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command = [part.format(port=port) for part in command]
    log = folder / ".jupyterlab.log"
    # Neither tabs nor settings, such as the theme, come from the person who measures, nor from a run at the same time.
    state = {f"JUPYTERLAB_{name.upper()}_DIR": str(folder / f".{name}") for name in ("workspaces", "settings")}
    environment = lab_environment() | {"JUPYTER_TOKEN": token} | state | dict(environment or {})
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        wait_until_up(f"http://localhost:{port}/api?token={token}", process, log)
        yield f"http://localhost:{port}/{{path}}?token={token}"
    finally:
        end(process)


def end(process: subprocess.Popen) -> None:
    """End JupyterLab. While a kernel is being restarted it fails to end, and then it has to be told once more.

    Its server asks the kernel that is not ready whether it has failed, and stops ending when that is an error
    (jupyter_client 8, `MultiKernelManager._async_shutdown_kernel`).
    """
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait(PATIENCE)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return int(s.getsockname()[1])


def wait_until_up(address: str, process: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not come up in {seconds:g} s:\n{log.read_text(errors='replace')[-2000:]}")


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Debian's Chromium under Playwright's control."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise RuntimeError("no Chromium on the PATH; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        yield browser
        browser.close()


def open_notebook(
    browser: "Browser | BrowserContext", address: str, notebook: str, *, width: int = 1300, height: int = 1000
) -> "Page":
    """Open `notebook` in a workspace of its own, without the tabs of other pages, and wait for its kernel.

    Pages of one browser share nothing, those of one of its contexts share what the browser stores.
    """
    path = f"lab/workspaces/{secrets.token_hex(4)}/tree/{notebook}"
    page = browser.new_page()
    page.set_viewport_size({"width": width, "height": height})
    ready: list[bool] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: ready.append(is_ready(frame))))
    page.goto(address.format(path=path))
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    end = time.monotonic() + 60
    while not any(ready):
        if time.monotonic() > end:
            raise RuntimeError(f"the kernel of {notebook} did not answer in 60 s")
        page.wait_for_timeout(50)
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    return page


def is_ready(frame: str | bytes) -> bool:
    """Whether a message says that the notebook's kernel takes cells to run: it tells the notebook what ran before.

    Before, JupyterLab drops what it is told to run, though it shows the kernel as idle. Messages of other kinds may
    come from the kernels of other notebooks, which JupyterLab asks who they are.
    """
    return b"history_reply" in (frame if isinstance(frame, bytes) else frame.encode())


def run_all(page: "Page", *, seconds: float = 120) -> None:
    """Run > Run All Cells, and wait until the kernel has rested for a second."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_function(RESTED, timeout=1000 * seconds)
