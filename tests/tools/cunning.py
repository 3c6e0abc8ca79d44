"""Submissions of students who know Python well: what each tries, and the mark that its honest part must get.

As in `hostile.py`, which has the ruder ones.
"""

from hostile import LINE, POINTS, TRY, Hostile, soft

__all__ = ["CUNNING", "FLOODS", "FORMS", "PATCHES", "STATES"]

WRONG = soft("return w - step")
RIGHT = "w.sign() * (w.abs() - step).clamp(min=0)"


def form(name: str, why: str, result: str, feedback: str = "", before: str = "", lost: int = 2) -> Hostile:
    """A soft threshold that returns `result`, which may use what is `right`."""
    return Hostile(name, why, before, soft(f"right = {RIGHT}\nreturn {result}"), POINTS - lost, "", feedback)


# Right numbers in other forms are right, and what is no number is named.
FORMS = [
    form("big-endian", "A right array whose numbers have their bytes the other way round.",
         "right.numpy().astype('>f4')", lost=0),
    form("long double", "A right array of numbers of sixteen bytes.", "right.numpy().astype('longdouble')", lost=0),
    form("right backwards", "A right array that is read from its end.", "right.flip(0).numpy()[::-1]", lost=0),
    form("with a gradient", "A right tensor that wants a gradient, from an argument that does.",
         f"[w.requires_grad_(), {RIGHT}][1]", lost=0),
    form("from columns", "A right tensor whose rows do not lie one after the other.", "right.T.contiguous().T", lost=0),
    form("denormal", "A right tensor to which the smallest number is added.", "right + 1e-45", lost=0),
    form("sparse", "A right tensor that is sparse.", "right.to_sparse()", "sparse_coo tensor"),
    form("meta", "A tensor that has a shape and no numbers.", "right.to('meta')", "It returns a meta tensor"),
    form("complex", "A tensor of complex numbers.", "right + 1j", "of dtype complex64"),
    form("quantized", "A tensor of codes with a scale.", "torch.quantize_per_tensor(right, 0.1, 0, torch.quint8)",
         "of dtype quint8"),
    form("nested", "Tensors in a tensor.", "torch.nested.nested_tensor([right, right])", "nested tensor"),
    form("numbers that are none", "NaN in every place, with bits of its own.",
         "torch.full_like(w, float('nan')).view(torch.int32).add(7).view(torch.float32)", "returns nan"),
    form("a generator", "Right numbers that come one by one.", "(row for row in right)", "It returns a generator"),
    form("a long text", "A text of a hundred million letters.", "'x' * 10 ** 8", "It returns 'xxx"),
    form("a name of terminals", "A thing whose type is called by control characters and HTML.",
         "type('\\x1b[2J\\u202e<script>alert(1)</script>', (), {})()", "<script>alert"),
    form("a name that fails", "A thing whose type has no name.", "Nameless()", "ZeroDivisionError",
         "class Meta(type):\n    __name__ = property(lambda cls: 1 / 0)\nclass Nameless(metaclass=Meta):\n    pass"),
    form("a list without end", "A list of a class of its own, which never ends.", "Endless([1])", "too large",
         "class Endless(list):\n    def __iter__(self):\n        while True:\n            yield 1"),
    Hostile("numbers of other kinds", "Numbers as arrays of one entry, with and without a stride, and too large.",
            instead="""
import decimal
import numpy as np
def group_penalty(w, *, dim):
    return torch.as_strided(w.shape[dim] ** 0.5 * w.norm(dim=dim).sum(), (1,), (0,))
def active_inputs(w, *, threshold):
    return np.array((w.abs() > threshold).any(dim=0).sum(), dtype=">i4")
def soft_threshold(w, *, step):
    return decimal.Decimal(3)
def half_and_half(w, *, step, dim):
    return 10 ** 100_000
""", points=POINTS - 5, feedback="(?s)It returns a Decimal.*It returns a tensor of shape \\(\\)"),
]  # fmt: skip

PATCHES = [
    Hostile("no change is seen", "The argument is changed, and whatever could tell says that it is not.", """
import torch
torch.equal = torch.Tensor.equal = torch.allclose = torch.Tensor.allclose = lambda *args, **options: True
torch.Tensor.clone = torch.clone = lambda self, **options: self
""", soft(f"right = {RIGHT}\nw.copy_(right)\nreturn right"), POINTS - 2, feedback="It changes the tensor"),
    Hostile("changed by address", "The argument is changed past PyTorch.",
            instead=soft(f"new = {RIGHT}\nctypes.memset(w.data_ptr(), 0, 4 * w.numel())\nreturn new", "import ctypes"),
            points=POINTS - 2, feedback="It changes the tensor"),
    Hostile("base64 lies", "Bytes are written as others.",
            "import base64\nbase64.b64encode = lambda data: b'AAAA'", points=0, reason="is no tensor"),
    Hostile("a socket that keeps silent", "What is sent is thrown away.",
            "import socket\nsocket.socket.sendall = lambda *args: None"),
    Hostile("a clock that stands", "Time is what a student says.",
            "import time\ntime.monotonic = time.time = time.perf_counter = time.process_time = lambda: 0.0", WRONG,
            POINTS - 2),
    Hostile("another torch", "The modules that are loaded are others, of which PyTorch itself asks in vain.", """
import sys, types
for name in ("torch", "json", "base64", "struct", "numpy"):
    sys.modules[name] = types.SimpleNamespace(equal=lambda *a: True, loads=lambda t: {"points": 99})
""", WRONG, points=2, feedback="SimpleNamespace"),
    Hostile("modes of torch", "PyTorch counts in other types, without gradients, with its errors on.", """
import torch, warnings
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.use_deterministic_algorithms(True)
warnings.simplefilter("error")
"""),
    Hostile("a timer that is ignored", "The signal of the processor's time is ignored, and a loop begun.",
            instead=soft("signal.signal(signal.SIGPROF, signal.SIG_IGN)\nwhile True:\n    pass", "import signal"),
            points=POINTS - 2, reason="soft_threshold: no result came back: it did not end within"),
    Hostile("a thread that stays", "Threads of a cell go on for ever.", """
import threading
def spin():
    while True:
        pass
for _ in range(3):
    threading.Thread(target=spin, daemon=True).start()
"""),
    Hostile("the interpreter is kept", "A thread never lets another one work.", instead=soft("""
import sys, threading
sys.setswitchinterval(10 ** 6)
def spin():
    while True:
        pass
threading.Thread(target=spin, daemon=True).start()
while True:
    pass
"""), points=POINTS - 2, reason="soft_threshold: no result came back: it did not end within"),
    Hostile("last words of faulthandler", "A watch of Python itself ends the process during a call.", instead=soft("""
import faulthandler, time
faulthandler.dump_traceback_later(0.05, exit=True, file=open("trace", "w"))
time.sleep(2)
"""), points=POINTS - 2, reason="soft_threshold: no result came back: the process ended"),
    Hostile("SIGTERM", "The process asks itself to go.", instead=soft("import signal\nsignal.raise_signal(15)"),
            points=POINTS - 2, reason="soft_threshold: no result came back: the process ended"),
    Hostile("no stack left", "A list nested a million deep is told without a limit.", """
import sys
sys.setrecursionlimit(10 ** 9)
deep = []
for _ in range(10 ** 6):
    deep = [deep]
repr(deep)
""", feedback="takes too long|left out"),  # the process ends, or on a slow machine the time of the cell
    Hostile("a long name of an error", "The type of an error has a name of a million letters.",
            instead=soft("raise type('E' * 10 ** 6, (Exception,), {})()"), points=POINTS - 2, feedback="EEE|too large"),
    Hostile("fewer files", "The process takes away its own rights.",
            "import resource\nfor kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE):\n"
            "    resource.setrlimit(kind, (3, 3))"),
]  # fmt: skip

STATES = [
    Hostile("right as long as it is shown", "Calls are counted: only the first, of the open cases, are right.",
            instead=soft(f"calls.append(1)\nreturn {RIGHT} if len(calls) <= 7 else w", "calls = []"),
            points=POINTS - 2, feedback="soft_threshold: all 7 cases are right"),
    Hostile("a file for the next process", "A process that has ended leaves a file to the one after it.",
            "import os\nopen('/tmp/left-by-a-submission', 'w').close()\nos._exit(0)",
            "import os\nif os.path.exists('/tmp/left-by-a-submission'):\n    raise RuntimeError('succeeded')",
            reason="cell 2 was left out: the process ended", walls=True),
    Hostile("copied from the library", "What is hidden is fetched by pickle, reload, resources, code.", instead="""
import copy, importlib, importlib.resources, pickle, types
from course_utils.methods.penalties import proximal
def ways():
    yield lambda: pickle.loads(b"ccourse_utils.methods.penalties.proximal\\nprox_l1\\n.")
    yield lambda: importlib.reload(proximal).prox_l1
    yield lambda: types.FunctionType(proximal.prox_l1.__code__, vars(proximal))
    yield lambda: copy.deepcopy(proximal.prox_l1)
    def read():
        text = importlib.resources.files("course_utils").joinpath("methods/penalties/proximal.py").read_text()
        space = {"__name__": "course_utils.methods.penalties.proximal"}
        exec(text, space)
        return space["prox_l1"]
    yield read
""" + soft("""
for way in ways():
    try:
        return way()(w, step=step)
    except Exception as problem:
        last = problem
raise last
"""), points=POINTS - 2, feedback="is not available while your work is graded"),
    Hostile("another library", "The library's files, and those of Python, are written over.", TRY + """
import course_utils.methods.penalties.proximal as proximal
for path in (proximal.__file__, os.__file__, "/library/course_utils/__init__.py", "/library/new.py"):
    refused(path, lambda: open(path, "a"))
refused("removed", lambda: os.unlink(proximal.__file__))
""", walls=True),
]  # fmt: skip

# What holds memory that belongs to no process, or that a grader would take to read an answer.
FLOODS = [
    Hostile("sockets", "Sockets of every kind hold gigabytes.", TRY + """
for family in (1, 2, 10, 16, 17, 38, 40):
    for kind in (1, 2, 3, 5):
        refused((family, kind), lambda: socket.socket(family, kind))
for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    refused(kind, lambda: socket.socketpair(socket.AF_UNIX, kind))
refused("of the internet", lambda: socket.socketpair(socket.AF_INET))
pair = socket.socketpair()
refused("larger buffers", lambda: pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30))
pair[0].setblocking(False)
sent = 0
try:
    while sent < 10 ** 7:
        sent += pair[0].send(bytes(1 << 16))
except BlockingIOError:
    pass
if sent > 5_000_000:
    raise RuntimeError("succeeded: a pair holds megabytes")
""", walls=True),
    Hostile("things of the kernel", "Attributes, watches, timers, rings, locks, filters and pipes are taken.", TRY + """
import fcntl, struct
open("x", "w").close()
refused("attributes", lambda: os.setxattr("x", "user.x", b"x" * 1000))
with open("x", "r+b") as file:
    refused("attributes of a file", lambda: os.setxattr(file.fileno(), "user.x", b"x"))
    for command in (6, 7, 37, 38):
        lock = struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 1, 0)
        refused("a lock", lambda: fcntl.fcntl(file, command, lock))
    fcntl.flock(file, fcntl.LOCK_EX)
reading, writing = os.pipe()
refused("a large pipe", lambda: fcntl.fcntl(writing, 1031, 1 << 20))
if os.uname().machine == "x86_64":
    place = ctypes.create_string_buffer(200)
    refused("a watch", lambda: call(253))
    refused("a watch of a kind", lambda: call(294, 0))
    refused("a watch of all", lambda: call(300, 0, 0))
    refused("a ring", lambda: call(206, 1000, place))
    refused("a timer", lambda: call(222, 1, None, place))
    refused("a page in a pipe", lambda: call(278, writing, place, 1, 0))
    refused("a filter", lambda: call(317, 1, 0, place))
    refused("a filter by prctl", lambda: call(157, 22, 2, place))
    refused("a rule", lambda: call(444, place, 8, 0))
    refused("a call of tomorrow", lambda: call(463, 0, 0, 0, 0))
    refused("open files of a thread alone", lambda: call(436, 900_000, 900_001, 2))
    refused("a thread with open files of its own", lambda: call(56, 0x10900, None))
""", walls=True),
    Hostile("empty files", "Files without a byte are made without end.", """
import os
for number in range(10 ** 6):
    os.close(os.open(f"/dev/shm/left-by-a-submission-{number}", os.O_CREAT))
raise RuntimeError("succeeded")
""", reason="cell 2 was left out: it made more than 20,000 files|did not end within", walls=True),
    Hostile("folders and links", "Folders, links and second names are made, which have no bytes either.",
            instead=soft("""
import os
open("/tmp/x", "w").close()
for number in range(10 ** 6):
    os.mkdir(f"/tmp/f{number}")
    os.symlink("x" * 100, f"/tmp/s{number}")
    os.link("/tmp/x", f"/tmp/{number:0250}")
raise RuntimeError("succeeded")
"""), points=POINTS - 2, reason="soft_threshold: .* it made more than 20,000 files|did not end within",
            walls=True),
    Hostile("a crowd of strangers", "A list of two hundred thousand things that cannot be sent.",
            instead=soft("return [type('a', (), {})()] * 220_000"), points=POINTS - 2, feedback="too large"),
    Hostile("lists of lists", "A hundred million entries that are one list, four times in itself.",
            instead=soft("wide = [0] * 100\nfor _ in range(3):\n    wide = [wide] * 100\nreturn wide"),
            points=POINTS - 2, feedback="too large"),
    Hostile("a crowd of types", "Two thousand things, each of a type of its own.",
            instead=soft("return [type(f'a{n}', (), {})() for n in range(2_000)]"), points=POINTS - 2,
            feedback="It returns a list"),
    Hostile("entries past the packing", "A frame of its own has half a million lists, in as many bytes as may be.",
            instead=soft("frame(b'{\"value\": {\"list\": [' + b'[],' * 160_000 + b'[]]}}')\ntime.sleep(100)", LINE),
            points=POINTS - 2, reason="soft_threshold: no result came back: a message of more than 20,000 entries"),
    Hostile("empty tensors", "A frame of its own has as many tensors without numbers as may be.",
            instead=soft("""
tensor = {"tensor": ["bool", [0] * 20, ""]}
frame({"value": {"list": [tensor] * 700}, "ticket": ticket()})
""", LINE), points=POINTS - 2, reason="soft_threshold: no result came back: .*"),
    Hostile("notes without end", "A cell says that it lost fifteen thousand names, which all are needed.", """
import gc, types
from course_utils.exercises.grading.exchange import packed
names = [f"x{number:05}" + "y" * 20 for number in range(15_000)]
functions = [thing for thing in gc.get_objects() if type(thing) is types.FunctionType]
runner = next(function.__globals__ for function in functions if function.__name__ == "error_line")
runner["loss"] = lambda shell: packed({"refused": False, "lost": names})
type(get_ipython()).needed = lambda shell, wanted: names
1 / 0
""", reason="cell 2 raises ZeroDivisionError",
            feedback="so x00000y+, (x0000.y+, ){7}and 14,992 others did not become"),
    Hostile("logs", "Logs and warnings are written without end.", """
import logging, warnings
logging.basicConfig(level=0)
for number in range(3_000):
    logging.error("x" * 10_000)
    warnings.warn("x" * 10_000 + str(number))
"""),
    Hostile("forks in threads", "Threads start processes, at once.", TRY + """
def fork():
    try:
        if os.fork() == 0:
            time.sleep(1000)
    except OSError:
        return
    pids.append(1)
pids = []
threads = [threading.Thread(target=fork) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
if pids:
    raise RuntimeError("succeeded")
refused("spawned", lambda: os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {}))
""", walls=True),
    Hostile("quotes in quotes", "The written answer holds quotes, lists and brackets that lie in each other.",
            written="> " * 2_900 + "a"),
    Hostile("stars", "The written answer holds emphasis that never ends.", written="*a **b " * 850),
    Hostile("brackets", "The written answer holds links that never end.", written="[a](" * 1_400 + "![" * 100),
]  # fmt: skip

CUNNING = [*FORMS, *PATCHES, *STATES, *FLOODS]
