"""Submissions that want more than marks: what each tries, and what must become of it.

`code` runs before the honest answers to exercise 04, so a name that it defines is lost again; `instead` runs after them
and may take their place. An attack that gets through says so by raising an error that begins with "succeeded".
"""

import io
import json
import stat
import zipfile
from dataclasses import dataclass

MARK = "left-by-a-submission"  # in the name and the content of every file that an attack writes

HONEST = """
import torch

def soft_threshold(w, *, step):
    return w.sign() * (w.abs() - step).clamp(min=0)

def group_penalty(w, *, dim):
    return w.shape[dim] ** 0.5 * w.norm(dim=dim).sum()

def block_threshold(w, *, step, dim):
    norm = w.norm(dim=dim, keepdim=True)
    return w * (norm - step * w.shape[dim] ** 0.5).clamp(min=0) / norm.clamp(min=1e-12)

def active_inputs(w, *, threshold):
    return int((w.abs() > threshold).any(dim=0).sum())

def half_and_half(w, *, step, dim):
    half = w.sign() * (w.abs() - step / 2).clamp(min=0)
    norm = half.norm(dim=dim, keepdim=True)
    return half * (norm - step / 2 * w.shape[dim] ** 0.5).clamp(min=0) / norm.clamp(min=1e-12)
"""
POINTS = 12  # of all tasks; soft_threshold has 2 of them

# Writes to the grader past the functions that are meant for it.
LINE = """
import base64, json, os, socket, sys, time
line = socket.socket(fileno=os.dup(int(sys.argv[1])))

def frame(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    line.sendall(len(data).to_bytes(4, "big") + data)

def ticket():
    place = sys._getframe()
    while "message" not in place.f_locals:
        place = place.f_back
    return place.f_locals["message"]["ticket"]
"""
TRY = """
import ctypes, glob, mmap, os, resource, signal, socket, subprocess, sys, threading, time

def refused(what, attempt):
    try:
        result = attempt()
    except BaseException:
        return
    raise RuntimeError(f"succeeded: {what}: {result!r}")

libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno())
"""


@dataclass(frozen=True)
class Hostile:
    """`why`: what it tries. `points`: of the tasks. `reason`: a pattern in what needs attention; empty for none.

    `feedback`: a pattern in what the student reads. `walls`: it must not be run without bubblewrap.
    """

    name: str
    why: str
    code: str = ""
    instead: str = ""
    points: float = POINTS
    reason: str = ""
    feedback: str = ""
    written: str = "A step never arrives."
    walls: bool = False

    @property
    def content(self) -> bytes:
        return notebook(*filter(None, (self.code, HONEST, self.instead)), written=self.written)


def notebook(*sources: object, written: object = "") -> bytes:
    """A notebook of exercise 04 with these cells of code and this written answer."""
    cells: list[object] = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
        for source in ('check = exercise("ex04")', *sources)
    ]
    about = {"nbgrader": {"grade_id": "ex04-written"}}
    cells.append({"cell_type": "markdown", "metadata": about, "source": written})
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def soft(body: str, before: str = "") -> str:
    """A cell with another soft_threshold."""
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    return f"{before}\ndef soft_threshold(w, *, step):\n{lines}\n"


WRONG = soft("return w - step")

TAMPERING = [
    Hostile(
        "check redefined",
        "The check, the hand-in and their modules are replaced by ones that praise everything.",
        """
import sys, types
check = hand_in = exercise = lambda *args, **options: "all cases are right"
for name in list(sys.modules):
    if name.startswith("course_utils.exercises"):
        sys.modules[name] = types.SimpleNamespace(exercise=exercise, hand_in=hand_in, judge=lambda *a: 1)
""",
        WRONG,
        POINTS - 2,
    ),
    Hostile(
        "ast transformer",
        "Later cells are parsed without their assertions, and each function returns its first argument.",
        """
import ast, builtins
parse, compiled = ast.parse, builtins.compile

class Softer(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()

ast.parse = lambda *args, **options: Softer().visit(parse(*args, **options))
builtins.compile = lambda source, *args, **options: compiled(source, *args, **options)
""",
        WRONG,
        POINTS - 2,
    ),
    Hostile(
        "import hook",
        "Whoever imports a judge or an exercise gets one that gives all points.",
        """
import builtins, sys, types
original = builtins.__import__

def imports(name, *args, **options):
    if "judge" in name or "exercises" in name:
        return types.SimpleNamespace(judge=lambda *a: types.SimpleNamespace(points=99, right=True))
    return original(name, *args, **options)

builtins.__import__ = imports
sys.meta_path.insert(0, types.SimpleNamespace(find_spec=lambda name, path=None, target=None: None))
sys.path_hooks.clear()
""",
        WRONG,
        POINTS - 2,
    ),
    Hostile(
        "trace and profile",
        "Every call and line of the process is watched for names of results, which are overwritten.",
        """
import sys, threading

def watch(frame, event, argument):
    for name in ("value", "points", "expected", "right"):
        if name in frame.f_locals:
            frame.f_locals[name] = 99
    return watch

sys.settrace(watch)
sys.setprofile(lambda *args: None)
threading.settrace(watch)
""",
        WRONG,
        POINTS - 2,
    ),
    Hostile(
        "torch lies",
        "All comparisons of PyTorch say yes.",
        """
import torch
yes = lambda *args, **options: True
torch.equal = torch.allclose = torch.Tensor.equal = torch.Tensor.allclose = yes
torch.isclose = torch.Tensor.isclose = lambda a, *args, **options: torch.ones_like(a, dtype=torch.bool)
torch.Tensor.__eq__ = yes
torch.Tensor.__hash__ = lambda self: 0
""",
        WRONG,
        POINTS - 2,
    ),
    Hostile(
        "json lies",
        "What is written to the grader says that all is right.",
        """
import json
dumps = json.dumps

def praised(message, *args, **options):
    more = {"passed": 7, "points": 99, "right": True, "changed": False, "problem": ""}
    return dumps(message | more if isinstance(message, dict) else message, *args, **options)

json.dumps = praised
""",
        WRONG,
        POINTS - 2,
    ),
    Hostile(
        "exchange replaced",
        "The functions that pack and send results are replaced, wherever a reference to them can be found.",
        """
import gc, inspect, sys
for module in [sys.modules.get("course_utils.exercises.grading.exchange"), sys.modules["__main__"]]:
    for name in ("packed", "unpacked", "call", "error_line"):
        if hasattr(module, name):
            setattr(module, name, lambda *args, **options: {"points": 99, "right": True})
for found in inspect.stack():
    if "packed" in found.frame.f_globals:
        found.frame.f_globals["packed"] = lambda value, depth=0: True
        found.frame.f_globals["call"] = lambda *args: {"value": True, "points": 99}
[thing for thing in gc.get_objects() if getattr(thing, "__name__", "") == "judge"]
""",
        points=0,
    ),
    Hostile(
        "frames searched",
        "Whatever the process holds under the name of an expected value is returned.",
        instead=soft(
            """
import gc, sys
frame = sys._getframe()
while frame is not None:
    for name, value in [*frame.f_locals.items(), *frame.f_globals.items()]:
        if any(part in name.lower() for part in ("expected", "hidden", "right", "teacher", "seed")):
            return value
    frame = frame.f_back
for thing in gc.get_objects():
    if isinstance(thing, dict) and ("expected" in thing or "hidden" in thing):
        return thing
return w
"""
        ),
        points=POINTS - 2,
    ),
]

FORGED = [
    Hostile(
        "answers ahead",
        "Two hundred forged answers lie on the line before the questions come.",
        LINE + "for _ in range(200):\n    frame({'value': None, 'points': 99})\n",
        reason="cell 2 was left out: what came back answers another question",
    ),
    Hostile(
        "answers twice",
        "Each call is answered twice, so that later tasks would read what earlier ones returned.",
        LINE,
        soft("frame({'value': True, 'ticket': ticket()})\nreturn w"),
        POINTS - 2,
        "soft_threshold: no result came back: what came back answers another question",
    ),
    Hostile(
        "takes over",
        "A cell never ends, reads the questions itself, and answers each with what it was given.",
        LINE
        + """
def whole(size):
    data = b""
    while len(data) < size:
        data += line.recv(size - len(data))
    return data

frame({"value": None, "ticket": ticket()})
while True:
    question = json.loads(whole(int.from_bytes(whole(4), "big")))
    first = question["args"]["list"][0] if "args" in question else None
    frame({"value": first, "error": "", "points": 99, "ticket": question["ticket"]})
""",
        points=0,
    ),
    Hostile(
        "half a frame",
        "A message is announced, begun, and never ended.",
        LINE + "line.sendall(b'\\x00\\x00\\x10\\x00' + b'{')\ntime.sleep(10 ** 6)\n",
        reason="cell 2 was left out: it did not end within",
    ),
    Hostile(
        "a byte now and then",
        "A message comes so slowly that each byte is in time and the whole never is.",
        LINE + "line.sendall(b'\\x00\\x00\\xff\\xff')\nwhile True:\n    line.sendall(b' ')\n    time.sleep(0.001)\n",
        reason="cell 2 was left out: it did not end within",
    ),
    Hostile(
        "a giant length",
        "A message says that it has four gigabytes.",
        instead=soft("line.sendall(b'\\xff' * 4)\nreturn w", LINE),
        points=POINTS - 2,
        reason="soft_threshold: no result came back: a message of 4,294,967,295 bytes",
    ),
    Hostile(
        "no messages",
        "The line carries junk, numbers that no tensor holds, shapes that overflow, lists 400 deep, and bytes that "
        "are no base64.",
        instead=LINE
        + """
def soft_threshold(w, *, step):
    frame(b"\\xff\\xfe[nonsense")
def group_penalty(w, *, dim):
    frame(('{"value": 1' + "0" * 300 + ', "ticket": "' + ticket() + '"}').encode())
def block_threshold(w, *, step, dim):
    frame({"value": {"tensor": ["float32", [0, 2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1], ""]}, "ticket": ticket()})
def active_inputs(w, *, threshold):
    value = 1
    for _ in range(400):
        value = {"list": [value]}
    frame({"value": value, "ticket": ticket()})
def half_and_half(w, *, step, dim):
    frame({"value": {"tensor": ["float32", [2, 3], "?" * 24]}, "ticket": ticket()})
""",
        points=0,
        reason="(?s)soft_threshold: .* is no message.*group_penalty: .* is no value.*block_threshold: .* is no tensor"
        ".*active_inputs: .* is no value.*half_and_half: .* is no tensor",
    ),
    Hostile(
        "not a number",
        "NaN, infinity and half letters are sent as JSON that the standard does not know.",
        LINE,
        """
def soft_threshold(w, *, step):
    frame(('{"value": NaN, "ticket": "' + ticket() + '"}').encode())
    time.sleep(10 ** 6)
def group_penalty(w, *, dim):
    raise ValueError("half a letter: \\ud800 and \\x00 and \\x1b[2J" + "<script>alert(1)</script>")
""",
        POINTS - 4,
        "soft_threshold: no result came back: it did not end within",
        r"half a letter: \?",
    ),
    Hostile(
        "line closed",
        "All open files of the process are closed, that of the grader too.",
        instead=soft("import os\nos.closerange(3, 1000)\nreturn w"),
        points=POINTS - 2,
        reason="soft_threshold: no result came back: the process ended",
    ),
]

VALUES = [
    Hostile(
        "equal to everything",
        "The result is a tensor of a class that says yes to every comparison.",
        instead="""
class Agreeing(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True if "eq" in function.__name__ else super().__torch_function__(function, types, args, kwargs or {})
    def __eq__(self, other):
        return True
    __hash__ = None
"""
        + soft("return w.as_subclass(Agreeing)"),
        points=POINTS - 2,
    ),
    Hostile(
        "another class",
        "The result says that it is a tensor and is none.",
        instead="""
class Liar:
    __class__ = property(lambda self: torch.Tensor)
    def __getattr__(self, name):
        return lambda *args, **options: self
    def __eq__(self, other):
        return True
    def __iter__(self):
        while True:
            yield self
"""
        + soft("return Liar()"),
        points=POINTS - 2,
    ),
    Hostile(
        "results without end",
        "Results are a gigabyte, 300,000 numbers, a generator without end, and a list that contains itself.",
        instead="""
import itertools

def soft_threshold(w, *, step):
    return torch.zeros(1 << 28)
def group_penalty(w, *, dim):
    return tuple(range(10**15, 10**15 + 300_000))
def block_threshold(w, *, step, dim):
    return itertools.count()
def active_inputs(w, *, threshold):
    endless = []
    endless.append(endless)
    return endless
""",
        points=3,
        reason="soft_threshold: no result came back: it took more than",
        feedback=r"(?s)too large.*a count.*a list",
    ),
    Hostile(
        "an error without a text",
        "The error that a function raises fails while it is told.",
        instead=soft("raise Silent()", "class Silent(Exception):\n    __str__ = lambda self: 1 / 0"),
        points=POINTS - 2,
        feedback="an error that fails while its text is made",
    ),
    Hostile(
        "last words",
        "What runs when objects and the process end forges answers and fails.",
        LINE
        + """
import atexit

class Late:
    def __del__(self):
        frame({"value": 99})

keep = [Late()]
keep.append(keep)
atexit.register(lambda: frame({"points": 99}))
""",
    ),
    Hostile(
        "torch beside it",
        "Files named torch.py and json.py are written where Python might look first, and the names are loaded again.",
        """
import os, sys
for name in ("torch", "json", "course_utils"):
    for folder in (".", os.path.expanduser("~"), "/tmp"):
        with open(os.path.join(folder, name + ".py"), "w") as file:
            file.write("equal = allclose = lambda *a: True  # left-by-a-submission")
sys.path.insert(0, os.getcwd())
""",
        WRONG,
        POINTS - 2,
    ),
]

PARTLY = [
    Hostile(
        "learnt by heart",
        "Right answers are kept for the open cases alone; see `OPEN_ANSWERS` in the test.",
        instead="OPEN_ANSWERS",
        points=POINTS - 2,
        feedback="soft_threshold: all 7 cases are right",
    ),
    Hostile(
        "asked before",
        "Every argument is kept, and what the hidden cases were is put into errors and results of later calls.",
        instead="""
seen = []

def keep(w, *args, **options):
    seen.append(w)
    raise ValueError("seen: " + "; ".join(str(one.flatten().tolist()) for one in seen[-20:]))

soft_threshold = group_penalty = block_threshold = active_inputs = half_and_half = keep
""",
        points=0,
        feedback="seen: ",
    ),
]

ENDING = [
    Hostile(
        "exit in a cell", "A cell ends the process.", "import os\nos._exit(0)", reason="cell 2 was left out: .*ended"
    ),
    Hostile(
        "exit in a function",
        "A function ends the process.",
        instead=soft("import os\nos._exit(0)"),
        points=POINTS - 2,
        reason="soft_threshold: no result came back: the process ended",
    ),
    Hostile(
        "SIGKILL",
        "The process kills itself.",
        instead=soft("import os\nos.kill(os.getpid(), 9)"),
        points=POINTS - 2,
        reason="soft_threshold: no result came back: the process ended",
    ),
    Hostile(
        "SIGSTOP",
        "The process stops itself and is never continued.",
        instead=soft("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
        points=POINTS - 2,
        reason="soft_threshold: no result came back: it did not end within",
    ),
    Hostile(
        "abort",
        "The process aborts, which could leave a core file.",
        "import os\nos.abort()",
        reason="cell 2 was left out: the process ended",
    ),
    Hostile(
        "segmentation fault",
        "Memory is read at address 0.",
        "import ctypes\nctypes.string_at(0)",
        reason="cell 2 was left out: the process ended",
    ),
    Hostile(
        "endless recursion",
        "A function calls itself until the stack is full.",
        instead=soft("return soft_threshold(w, step=step)", "import sys\nsys.setrecursionlimit(10 ** 9)"),
        points=POINTS - 2,
        reason="soft_threshold: no result came back",
    ),
    Hostile(
        "parent killed",
        "The parent and every process that can be reached is killed, and the process itself at last.",
        """
import os
for pid in (os.getppid(), 1, -1, os.getpid()):
    try:
        os.kill(pid, 9)
    except OSError:
        continue
""",
        reason="cell 2 was left out: the process ended",
        walls=True,
    ),
    Hostile(
        "swallows everything",
        "A loop takes every interrupt, after signals and timers were switched off.",
        """
import signal
for number in range(1, 64):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.setitimer(signal.ITIMER_PROF, 0)
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
        reason="cell 2 was left out: it did not end within",
    ),
    Hostile(
        "sleeps",
        "A function waits for eleven days.",
        instead=soft("import time\ntime.sleep(10 ** 6)"),
        points=POINTS - 2,
        reason="soft_threshold: no result came back: it did not end within",
    ),
    Hostile(
        "waits for a socket",
        "A function reads from a line on which nothing comes.",
        instead=soft("import socket\nours, theirs = socket.socketpair()\nours.recv(1)"),
        points=POINTS - 2,
        reason="soft_threshold: no result came back",
    ),
    Hostile(
        "regular expression",
        "A search that takes exponential time.",
        instead=soft("import re\nre.match('(a+)+$', 'a' * 60 + 'b')"),
        points=POINTS - 2,
        feedback="Late: it takes too long|did not end",
    ),
    Hostile(
        "a power of powers",
        "A number with a billion bits is calculated, where no signal is heard.",
        "x = 10 ** 10 ** 9",
        feedback="cell 2 (raises Late|raises MemoryError|was left out: it did not end within)",
    ),
    Hostile(
        "text that breaks the compiler",
        "Cells are nested ninety thousand deep, or hold a NUL.",
        "x = " + "(" * 90_000 + ")" * 90_000,
        "x = '\0'\n",
        feedback="cell 2 (raises|was not run|was left out)",
    ),
    Hostile(
        "operators without end",
        "A cell has fifty thousand signs before a number, which overflow the stack of the compiler.",
        "x = " + "-" * 50_000 + "1",
        feedback="cell 2 (raises|was not run|was left out)",
    ),
]

TAKING = [
    Hostile(
        "four gigabytes at once",
        "More memory is filled than a process may have, after another limit was to be raised.",
        TRY
        + """
refused("larger files", lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40)))
b"x" * (4 << 30)
""",
        reason="cell 2 was left out: it took more than .* GB of memory",
        walls=True,
    ),
    Hostile(
        "memory that is used",
        "Memory is taken piece by piece, and written to.",
        # The pauses cost it no processor time, whose limit would else be the first to end it on a busy machine.
        "import time\nkeep = []\nwhile True:\n    keep.append(b'x' * (20 << 20))\n    time.sleep(0.02)",
        reason="cell 2 was left out: it took more than .* GB of memory",
    ),
    Hostile(
        "memory in children",
        "Several children take memory, each a little.",
        """
import os, time
for _ in range(4):
    if os.fork() == 0:
        keep = bytearray(b"x" * (150 << 20))
        time.sleep(1000)
time.sleep(1000)
""",
        feedback="cell 2 raises PermissionError",
        walls=True,
    ),
    Hostile(
        "memory of nobody",
        "Memory is taken that belongs to no process: shared pages, segments, files without a name.",
        TRY
        + """
refused("shared pages", lambda: mmap.mmap(-1, 1 << 20))
def of_a_device():
    with open("/dev/zero", "r+b") as file:
        return mmap.mmap(file.fileno(), 1 << 20)
refused("pages of a device", of_a_device)
refused("a file in memory", lambda: os.memfd_create("x"))
if os.uname().machine == "x86_64":
    refused("a segment", lambda: call(29, 0, 1 << 30, 0o1600))
    refused("a ring", lambda: call(425, 4, ctypes.create_string_buffer(200)))
    refused("a key", lambda: call(248, b"user", b"x", b"abc", 3, -3))
""",
        walls=True,
    ),
    Hostile(
        "fork bomb",
        "Every process starts another one.",
        "import os\nfor _ in range(10_000):\n    os.fork()",
        feedback="cell 2 raises PermissionError",
        walls=True,
    ),
    Hostile(
        "thread bomb",
        "Threads are started without end.",
        """
import threading, time
threading.stack_size(32768)
while True:
    try:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    except RuntimeError:
        time.sleep(0.01)
""",
        reason="cell 2 was left out: it (started more than 300 threads|did not end)",
    ),
    Hostile(
        "output",
        "A hundred megabytes are printed, written to the process's own outputs, and to a file.",
        """
import os, sys
for _ in range(100):
    print("x" * (1 << 20))
    sys.stderr.write("x" * (1 << 20))
    os.write(1, b"x" * (1 << 20))
    os.write(2, b"x" * (1 << 20))
with open("left-by-a-submission", "wb") as file:
    for _ in range(100):
        file.write(b"x" * (1 << 20))
raise RuntimeError("succeeded")
""",
        feedback="cell 2 (raises OSError|was left out)",
    ),
    Hostile(
        "folders filled",
        "All folders that can be written to are filled.",
        """
import os
for folder in ("/tmp", "/dev/shm", os.path.expanduser("~")):
    try:
        for number in range(40):
            with open(f"{folder}/left-by-a-submission-{number}", "wb") as file:
                file.write(b"x" * (8 << 20))
    except OSError:
        continue
    raise RuntimeError("succeeded")
""",
        walls=True,
    ),
]

ESCAPES = [
    Hostile(
        "a daemon",
        "A process leaves the session and its parent, to go on when the grading has ended.",
        """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(1000)", "left-by-a-submission"])
    os._exit(0)
os.wait()
os._exit(0)
""",
        feedback="cell 2 raises PermissionError",
        walls=True,
    ),
    Hostile(
        "the network",
        "Ports of the host, and the world beyond it, are called, and a port is to be opened.",
        TRY
        + """
for address in (("127.0.0.1", PORT), ("::1", PORT), ("1.1.1.1", 53), ("192.168.0.1", 80)):
    refused(address, lambda: socket.create_connection(address, timeout=0.2))
refused("a name", lambda: socket.getaddrinfo("example.org", 80))
refused("the machine below", lambda: socket.socket(40, socket.SOCK_STREAM))
refused("a port", lambda: socket.create_server(("127.0.0.1", 0)))
""",
        walls=True,
    ),
    Hostile(
        "the walls",
        "Namespaces, mounts, traces, keys and settings of the kernel are tried, to get out.",
        TRY
        + """
new_user_and_mounts = 0x10020000
if libc.unshare(new_user_and_mounts) == 0:
    raise RuntimeError("succeeded: unshare")
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, b"") == 0:
    raise RuntimeError("succeeded: mount")
if libc.ptrace(16, os.getppid(), 0, 0) == 0:
    raise RuntimeError("succeeded: ptrace")
for setting in ("kernel/core_pattern", "kernel/hostname", "vm/overcommit_memory", "fs/suid_dumpable"):
    refused(setting, lambda: os.close(os.open("/proc/sys/" + setting, os.O_WRONLY)))
refused("sysrq", lambda: os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY)))
for path in (sys.executable, sys.prefix, os.path.dirname(os.__file__), "/library", "/usr/bin", "/", "/dev"):
    if not path.startswith("/tmp"):  # where Python lives below it, the folders between are in memory too
        refused(path, lambda: open(os.path.join(path, "left-by-a-submission"), "w"))
refused("a child without limits", lambda: subprocess.run(
    [sys.executable, "-c", "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))"], check=True))
""",
        walls=True,
    ),
    Hostile(
        "files of others",
        "The home, the project, other submissions and what other processes show are looked for.",
        TRY
        + """
for path in (HOST_PATHS):
    refused(path, lambda: os.listdir(path) and open(path).read() if os.path.isfile(path) else os.listdir(path))
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try:
            text = open(f"/proc/{pid}/{name}").read()
        except OSError:
            continue
        if "SECRET_OF_THE_GRADER" in text:
            raise RuntimeError("succeeded: the grader's environment")
    refused(f"root of {pid}", lambda: open(f"/proc/{pid}/root{PROJECT}/pyproject.toml").read())
    refused(f"folder of {pid}", lambda: open(f"/proc/{pid}/cwd/pyproject.toml").read())
""",
        walls=True,
    ),
    Hostile(
        "answers of the library",
        "What the exercise asks for is looked for in every form: modules, sources, compiled files, the project.",
        instead="""
import gc, glob, inspect, linecache, marshal, os, sys

def whole(path):
    with open(path, "rb") as file:
        return file.read()

ways = []
for folder in [*sys.path, PROJECT, "/library", "/proc/1/root" + PROJECT, "/proc/self/root" + PROJECT]:
    if folder:
        ways += glob.glob(folder + "/course_utils/**/proximal*.py*", recursive=True)
        ways += glob.glob(folder + "/notebooks/exercises/teacher/*.py") + glob.glob(folder + "/.git/*")
found = []
for path in ways:
    space = {"__name__": "found"}
    try:
        data = whole(path)
        exec(marshal.loads(data[16:]) if path.endswith(".pyc") else data, space)
    except Exception:
        continue
    found += [value for name, value in space.items() if name in ("prox_l1", "_soft", "vectorised")]
from course_utils.methods.penalties import proximal as penalties
found += [penalties.prox_l1, penalties.prox_elastic_net, penalties.prox_sparse_group, penalties._soft]
found += [thing for thing in gc.get_objects() if inspect.isfunction(thing) and thing.__name__ in ("prox_l1", "_soft")]
for source in (inspect.getsource(penalties.prox_l1), "".join(linecache.getlines(penalties.__file__))):
    space = {}
    exec("from __future__ import annotations\\nimport torch\\n" + source, space)
    found.append(space["prox_l1"])

def first_that_answers(w, step):
    for function in found:
        for options in ({"step": step}, {"step": step, "l1_ratio": 1.0}, {"step": step, "l1_ratio": 1.0, "dim": 0}):
            try:
                return function(w, **options)
            except Exception:
                continue
    raise LookupError(f"nothing among {len(found)}")
"""
        + soft("return first_that_answers(w, step)"),
        points=POINTS - 2,
        feedback="LookupError: nothing among",
        walls=True,
    ),
]

TEXTS = [
    Hostile(
        "script in the answer",
        "The written answer holds scripts, links that run, pictures that tell who reads, and a form.",
        written="<script>alert(1)</script> <img src=x onerror=alert(1)> [a](javascript:alert(1)) "
        "![](http://evil.example/p.png) <form action=http://evil.example><svg/onload=alert(1)> "
        "$<script>alert(1)</script>$ $$\\href{javascript:alert(1)}{x}$$ `</main><script>`",
    ),
    Hostile(
        "a deep formula",
        "The written answer ends a parser that runs out of stack.",
        written="$" + "{" * 9_000 + "}" * 9_000 + "$ and $a" + "^{" * 900 + "}" * 900 + "$",
    ),
    Hostile(
        "fences",
        "The written answer keeps a parser busy for minutes.",
        written="```" * 6_666,
    ),
    Hostile(
        "half letters",
        "Cells and the written answer hold half of a pair of surrogates, NULs and control characters.",
        "x = '\ud800'  # \ud800",
        written="\ud800 \udfff \0 \x1b[2J \u202e backwards",
    ),
]

CODE = [*TAMPERING, *FORGED, *VALUES, *PARTLY, *ENDING, *TAKING, *ESCAPES, *TEXTS]


# Files that are no notebooks, or not what they seem to be.


def zipped(files: "dict[str, bytes]", *, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        if link:
            info = zipfile.ZipInfo("ex04.ipynb")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, link)
    return buffer.getvalue()


def nested(content: bytes, depth: int) -> bytes:
    for _ in range(depth):
        content = zipped({"a.zip": content})
    return content


RIGHT = notebook(HONEST)
WEIRD = {
    "cells": [
        3, None, [], "text", {"cell_type": 7, "source": {"a": 1}}, {"source": [1, None, "x = 1", ["y"]]},
        {"cell_type": "code", "source": 5, "metadata": "x", "outputs": {"a": 1}},
        {"cell_type": "code", "source": [HONEST, 4, None], "metadata": {"nbgrader": {"grade_id": ["ex04-written"]}}},
        {"cell_type": "code", "source": 'exercise("ex04")', "metadata": {"nbgrader": []}},
        {"cell_type": "markdown", "metadata": {"nbgrader": {"grade_id": "ex04-written"}}, "source": {"a": []}},
    ],
    "metadata": {"course": {"student": {"name": "x"}}, "kernelspec": {"name": "bash", "argv": ["sh"]}},
    "nbformat": "4",
}  # fmt: skip


@dataclass(frozen=True)
class File:
    """`path`: below the folder of the class. `problem`: a pattern of why it was not graded; `points` where it was."""

    path: str
    content: bytes
    why: str
    problem: str = ""
    points: float = 0


def files() -> list[File]:
    """They are made only when they are asked for, as some are large."""
    nothing_but_outputs = {"cell_type": "code", "source": "", "outputs": [{"text": "x" * 21_000_000}]}
    huge = json.dumps({"cells": [nothing_but_outputs]}).encode()
    zips = {f"{n}.zip": zipped({f"{m}.txt": b"" for m in range(50)}) for n in range(100)}
    leaving = {"../../../tmp/left-by-a-submission.ipynb": b"{", "/etc/left-by-a-submission.ipynb": b"{"}
    beside = {"ex04.ipynb": RIGHT, "torch.py": b"equal = 1", "course_utils/x.py": b"", "sitecustomize.py": b"1/0"}
    bomb = zipped({"ex04.ipynb": b" " * 30_000_000})
    bombs = zipped({"a.zip": b"\0" * 110_000_000})
    many = zipped({f"{n}.txt": b"" for n in range(21_000)})
    spoof = "victim_1_assignsubmission_file_/ex04.ipynb"
    return [
        File("empty/ex04.ipynb", b"", "Nothing at all.", "is empty"),
        File("no JSON/ex04.ipynb", b"{'cells': []}", "Python in the place of JSON.", "is damaged at line 1"),
        File("a list/ex04.ipynb", b"[" * 500 + b"]" * 500, "Lists 500 deep.", "no list of cells"),
        File("deep/ex04.ipynb", b"[" * 500_000, "Lists that no parser can follow.", "cannot be read"),
        File("digits/ex04.ipynb", b'{"cells": ' + b"9" * 1_000_000 + b"}", "A million digits.", "cannot be read"),
        File("NULs/ex04.ipynb", b"\0" * 1000, "Bytes that are no text.", "is damaged"),
        File("latin/ex04.ipynb", b'{"cells": ["\xe9\xff"]}', "Letters of another encoding.", "cannot be read"),
        File("outputs/ex04.ipynb", huge, "21 MB of outputs.", "has 21 MB"),
        File("cells/ex04.ipynb", notebook(*["x = 1"] * 10_000), "Ten thousand cells.", "cells, and 500 are read"),
        File("a cell/ex04.ipynb", notebook("x = 1\n" * 100_000), "A cell of 600,000 characters.", "200,000 are read"),
        File("types/ex04.ipynb", json.dumps(WEIRD).encode(), "Wrong types in every place.", points=POINTS),
        File("bomb.zip", bomb, "30 MB in 30 KB.", "MB are read"),
        File("bombs.zip", bombs, "A zip file in a zip file of 110 MB in 110 KB.", "too many bytes"),
        File("depths.zip", nested(b"x", 9), "Zip files nine deep.", "zip files deep"),
        File("many files.zip", many, "21,000 files in one zip file.", "21,000 files"),
        File("many zips.zip", zipped(zips), "A hundred zip files of fifty files.", "too many files"),
        File("a link.zip", zipped({}, link="/etc/passwd"), "A link to a file of the host.", "not followed"),
        File("leaving.zip", zipped(leaving), "Paths that leave the folder.", "is damaged at line 1"),
        File("beside.zip", zipped(beside), "Modules that would stand in for others.", points=POINTS),
        File(f"spoofing/{spoof}", notebook(HONEST, WRONG), "A folder with another's name.", points=POINTS - 2),
        File("=HYPERLINK(1)/ex04.ipynb", RIGHT + b" ", "A name that is a formula.", points=POINTS),
        File("<b onclick=x>/ex04.ipynb", RIGHT + b"  ", "A name that is HTML.", points=POINTS),
        File("漢" * 80 + "/ex04.ipynb", RIGHT + b"   ", "A name that makes too long a file name.", points=POINTS),
        File(".. .../ex04.ipynb", RIGHT + b"    ", "A name that could be a path.", points=POINTS),
    ]
