"""Forked kernels, from a parent that has imported little: a kernel as any other, and an ordinary one if need be."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from threading import Thread

import pytest
from forked import PLACE, SMALL_PARENT, Forked, Kernel, kernel, own_parent
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from processes import wait_until
from traitlets.config import LoggingConfigurable

from course_utils.bench.memory import memory_group
from course_utils.course import kernels
from course_utils.course.kernels import handles, provisioner

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="kernels are forked on Linux 5.3 or later")

TOOLS = Path(__file__).parent.parent / "tools"
SAME = (
    "sys.argv[0], len(sys.argv), sys.path, sys.flags, sys.getrecursionlimit()",
    "os.getcwd(), sorted(os.environ.items())",
    "os.getsid(0) == os.getpgid(0) == os.getpid(), os.umask(18), os.sched_getaffinity(0)",
    "gc.isenabled(), gc.get_threshold(), sys.stdin.read(), sys.stdout.encoding, threading.active_count()",
    "[signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD)]",
    "signal.pthread_sigmask(signal.SIG_BLOCK, []), resource.getrlimit(resource.RLIMIT_AS)",
    "sys.modules['__main__'].__dict__ is globals(), __name__, sorted(k for k in globals() if k.strip('_'))",
    "multiprocessing.current_process().name, multiprocessing.get_start_method(), tempfile.gettempdir()",
    "type(get_ipython().kernel).__mro__[0], get_ipython().kernel.session.username, get_ipython().history_length",
    "logging.root.level, logging.root.handlers, sorted({*map(str, warnings.filters)})",
    "sorted(get_ipython().kernel.comm_manager.targets), get_ipython().user_ns.get('__session__')",
    "random.seed(1) or random.random(), numpy.random.seed(1) or numpy.random.rand()",
)
MODULES = (
    "gc, ipywidgets, logging, multiprocessing, numpy, os, random, resource, signal, sys, tempfile, threading, warnings"
)


@pytest.fixture(scope="module", autouse=True)
def parent() -> Iterator[None]:
    """Have kernels from a parent that is quickly there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handles, "START", SMALL_PARENT)
        with own_parent():
            yield


@pytest.fixture
def new_parent() -> Iterator[None]:
    """Have no parent yet."""
    with own_parent():
        yield


@pytest.mark.parametrize("expression", SAME)
def test_what_a_cell_sees_is_the_same(expression: str, forked: Kernel, ordinary: Kernel) -> None:
    code = f"import {MODULES}\n{expression}"
    assert forked.run(code) == ordinary.run(code)


def test_random_numbers_are_those_of_no_other_kernel(forked: Kernel) -> None:
    code = "import numpy, random; random.random(), numpy.random.rand(), get_ipython().kernel.session.session"
    with kernel() as other:
        assert not set(eval(forked.run(code))) & set(eval(other.run(code)))


def test_folder_and_environment_are_those_of_the_request(tmp_path: Path) -> None:
    with kernel(cwd=str(tmp_path), env=os.environ | {"JPY_SESSION_NAME": "lesson.ipynb"}) as running:
        assert running.forked
        seen = running.run("import os; os.getcwd(), os.environ['JPY_SESSION_NAME'], __session__")
        assert eval(seen) == (str(tmp_path), "lesson.ipynb", "lesson.ipynb")


def test_a_long_cell_is_interrupted(forked: Kernel, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    forked.send(f"import pathlib, subprocess; pathlib.Path({str(begun)!r}).touch(); subprocess.run(['sleep', '60'])")
    wait_until(begun.exists, 30)
    forked.manager.interrupt_kernel()
    assert forked.reply() == "KeyboardInterrupt"
    assert forked.run("6 * 7") == "42"


def test_questions_and_the_debugger_are_answered(forked: Kernel) -> None:
    assert forked.run("input('How many? ') + '!'", "three") == "'three!'"
    assert "name 'missing' is not defined" in forked.run("missing")
    assert "here is 2" in forked.run("%debug", "print('here is', 1 + 1)", "q")


def test_coroutines_run_and_go_on_between_cells(forked: Kernel) -> None:
    assert forked.run("import asyncio; await asyncio.sleep(0, 'waited')") == "'waited'"
    forked.run("done = asyncio.get_running_loop().create_task(asyncio.sleep(0.01, 'later'))")
    assert forked.run("await done") == "'later'"


def test_widgets_have_a_model_in_the_page(forked: Kernel) -> None:
    forked.run("import ipywidgets; ipywidgets.IntSlider()")
    assert "application/vnd.jupyter.widget-view+json" in forked.kinds


def test_it_restarts_as_a_new_process_with_nothing_left() -> None:
    with kernel() as running:
        running.run("x = 1")
        before = running.process.pid
        running.restart()
        assert running.forked
        assert running.process.pid != before
        assert "NameError" in running.run("x")


@pytest.mark.parametrize(
    ("last_words", "code"),
    [
        ("import os; os._exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("exit()", 0),
    ],
)
def test_its_end_is_seen(last_words: str, code: int) -> None:
    with kernel() as running:
        running.client.execute(last_words)
        assert running.exit_code() == code
        assert not running.manager.is_alive()


@pytest.mark.usefixtures("new_parent")
def test_after_a_forked_kernel_that_fails_at_once_comes_an_ordinary_one(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = "from course_utils.course.kernels import child; child.take_over = None;"
    monkeypatch.setattr(handles, "START", SMALL_PARENT.replace("parent.main()", f"{failing} parent.main()"))
    manager = KernelManager(kernel_spec_manager=Forked())
    manager.start_kernel()
    try:
        while manager.is_alive():
            time.sleep(0.05)
        manager.restart_kernel(now=True)  # as Jupyter does then
        assert type(manager.provisioner.process).__name__ == "Popen"
    finally:
        manager.shutdown_kernel(now=True)
        manager.context.destroy(0)


def test_it_is_shut_down_as_python_ends(tmp_path: Path) -> None:
    with kernel() as running:
        running.run(f"import atexit, pathlib; atexit.register(pathlib.Path({str(tmp_path / 'left')!r}).touch)")
        process = running.process
        running.manager.shutdown_kernel()
        assert process.returncode == 0
        assert (tmp_path / "left").exists()


def test_the_cell_in_which_the_system_ends_a_kernel_says_why_and_what_to_do() -> None:
    with kernel() as running:
        cell = running.client.execute("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        assert running.exit_code() == -signal.SIGKILL
        asking = Thread(target=asyncio.run, args=[running.manager.provisioner.poll()])  # Jupyter does every 3 s
        asking.start()
        while (message := running.client.get_iopub_msg(timeout=10))["msg_type"] != "stream":
            pass
        asking.join()
        assert message["parent_header"]["msg_id"] == cell
        assert "memory ran out" in message["content"]["text"]
        assert "Run All Cells" in message["content"]["text"]


def test_after_a_kernel_was_killed_by_the_system_the_next_cell_says_what_to_do() -> None:
    with kernel() as running:
        running.client.execute("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        assert running.exit_code() == -signal.SIGKILL
        assert not running.manager.is_alive()
        running.restart(now=True)  # as Jupyter does by itself
        assert "memory ran out" in running.run("print('go on')")
        assert running.run("print('go on')") == "go on\n"
        running.restart(now=True)  # by the reader
        assert running.run("print('go on')") == "go on\n"


def test_kernels_live_on_without_their_parent_and_the_next_has_a_new_one(new_parent: None) -> None:
    with kernel() as first:
        parent = provisioner._parent.process
        parent.kill()
        parent.wait()
        assert first.run("1 + 1") == "2"
        with kernel() as second:
            assert second.forked
            assert provisioner._parent.process.pid != parent.pid
        first.client.execute("import os; os._exit(7)")
        assert first.exit_code() == 1  # nobody knows the code any more


@contextmanager
def server(*before: str) -> Iterator[subprocess.Popen[str]]:
    """A server with two kernels."""
    command = [*before, sys.executable, TOOLS / "forked.py"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_kernels_and_their_parent_end_with_the_server() -> None:
    with server() as process:
        started = json.loads(process.stdout.readline())
        assert all(Path(f"/proc/{number}").exists() for number in started)
        process.kill()
        end = time.monotonic() + 10
        while (left := [n for n in started if Path(f"/proc/{n}").exists()]) and time.monotonic() < end:
            time.sleep(0.01)
        assert not left


def test_where_memory_is_short_the_system_ends_a_kernel_before_the_server(forked: Kernel) -> None:
    assert forked.run("int(open('/proc/self/oom_score_adj').read())") == "500"


def test_a_kernel_that_fills_the_memory_ends_alone() -> None:
    with memory_group(500) as group:
        if group is None:
            pytest.skip("no control group with a limit on memory can be made here")
        with server(*group.command([])) as process:
            process.stdout.readline()
            process.stdin.write("all_of_it = [bytearray(2**20) for _ in range(2000)]\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == [-signal.SIGKILL, "2", True, False]
        assert group.kills() == 1


def python_path(folder: Path, **modules: str) -> dict[str, str]:
    """An environment in which these modules can be imported."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(dedent(text))
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


def test_changed_packages_are_seen_by_the_next_kernel(new_parent: None, tmp_path: Path) -> None:
    environment = python_path(tmp_path, edited="value = 1", sitecustomize="import edited")
    with kernel(env=environment) as first, kernel(env=environment) as second:
        assert [k.run("import edited; edited.value") for k in (first, second)] == ["1", "1"]
        python_path(tmp_path, edited="value = 22")
        second.restart()
        assert second.forked
        assert second.run("import edited; edited.value") == "22"
        assert first.run("edited.value") == "1"


def test_an_installed_package_is_seen_by_the_next_kernel(new_parent: None, tmp_path: Path) -> None:
    installed = f"import site; site.getsitepackages = lambda: [{str(tmp_path / 'packages')!r}]"
    (tmp_path / "packages").mkdir()
    environment = python_path(tmp_path, sitecustomize=installed)
    with kernel(env=environment) as first, kernel(env=environment) as second:
        assert (first.forked, second.forked) == (True, True)
        parent = provisioner._parent.process
        (tmp_path / "packages" / "editable.pth").write_text("a folder")  # it is read by a new Python alone
        second.restart()
        assert second.forked
        assert provisioner._parent.process is not parent


IN_THE_PARENT = "import os, signal, sys, threading, time\nif '-c' in sys.orig_argv:\n    "


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "the parent has 2 threads"),
        ("os._exit(1)", "or it ended"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", "did not import everything in 1 s"),
    ],
)
@pytest.mark.usefixtures("new_parent")
def test_without_a_parent_that_can_be_copied_a_kernel_is_an_ordinary_one(
    event: str, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "STOP" in event:
        monkeypatch.setattr(handles, "TO_IMPORT", 1.0)
    with kernel(env=python_path(tmp_path, sitecustomize=IN_THE_PARENT + event)) as running:
        assert not running.forked
        assert running.run("1 + 1") == "2"
    assert reason in caplog.text


def test_a_parent_that_does_not_answer_is_given_up(
    new_parent: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handles, "TO_FORK", 0.2)
    with kernel() as first:
        parent = provisioner._parent.process
        parent.send_signal(signal.SIGSTOP)
        with kernel() as second:
            assert not second.forked
            assert parent.wait(10) == -signal.SIGKILL
            assert first.run("1 + 1") == "2"
    assert "did not answer" in caplog.text


class Server(LoggingConfigurable):
    """What the extension uses of a Jupyter server."""

    kernel_spec_manager = KernelSpecManager()


@pytest.mark.usefixtures("new_parent")
@pytest.mark.parametrize(
    ("installed", "before", "after"),
    [
        (True, "local-provisioner", "course-forked"),
        (True, "another", "another"),
        (False, "local-provisioner", "local-provisioner"),
    ],
)
def test_the_servers_extension_has_kernels_forked_unless_told_otherwise(
    installed: bool, before: str, after: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(KernelProvisionerFactory, "_instance", None)
    monkeypatch.setattr(KernelProvisionerFactory, "provisioners", {PLACE.name: PLACE} if installed else {})
    monkeypatch.setattr(KernelProvisionerFactory, "_get_all_provisioners", lambda: [])
    factory = KernelProvisionerFactory.instance(default_provisioner_name=before)
    kernels._load_jupyter_server_extension(Server())
    assert factory.default_provisioner_name == after
    assert (provisioner._parent is not None) == (after == "course-forked")
    assert ("install it again" in caplog.text) == (not installed)


@pytest.mark.parametrize(
    "options",
    [
        {"env": os.environ | {"PYTHONHASHSEED": "1"}},
        {"stderr": sys.__stderr__},
        {"env": os.environ | {"MPLBACKEND": "agg"}},
    ],
)
def test_what_a_copy_cannot_follow_makes_an_ordinary_kernel(options: dict, caplog: pytest.LogCaptureFixture) -> None:
    with kernel(**options) as running:
        assert not running.forked
        assert running.run("1 + 1") == "2"
    assert len([r for r in caplog.records if "An ordinary kernel is started" in r.message]) == 1
