"""A server for tests and benchmarks that is told to end."""

import subprocess
import sys

import pytest

from course_utils.bench import browser

# It does as JupyterLab does while a kernel is being restarted: the first signal fails.
HARD_OF_HEARING = """
import signal, sys, time
told = []
signal.signal(signal.SIGTERM, lambda *_: sys.exit() if told else told.append(1))
print("up", flush=True)
while True:
    time.sleep(0.01)
"""


def test_a_server_that_fails_to_end_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "PATIENCE", 2.0)
    with subprocess.Popen([sys.executable, "-c", HARD_OF_HEARING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        browser.end(process)
        assert process.returncode == 0
