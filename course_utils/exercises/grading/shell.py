"""The shell in the student's process: IPython's own, as in a Jupyter kernel, but nobody reads it and nobody answers.

Cells are translated, compiled and run by IPython itself, with its namespace, its magics and a running event loop. What
would draw, ask, install, or start a program does nothing; what a magic may leave behind for later cells is real.
"""

import ast
import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import UsageError
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from IPython.extensions.storemagic import load_ipython_extension
from IPython.utils.text import SList
from traitlets import Type
from traitlets.config import Config

from course_utils.exercises.notebook.jupyter import Translator, names_by_look, names_of

__all__ = ["Shell"]

# What leaves names, values or files behind. Every other magic, also of an extension that is not here, does nothing.
LINE_MAGICS = {
    "time", "timeit", "prun", "run", "rerun", "recall", "macro", "pylab", "store", "reset", "reset_selective", "xdel",
    "who", "who_ls", "env", "set_env", "cd", "pwd", "pushd", "popd", "sx", "system", "sc", "alias", "unalias",
    "alias_magic", "automagic", "autocall", "autoawait", "code_wrap",
}  # fmt: skip
CELL_MAGICS = {"time", "timeit", "prun", "capture", "writefile", "file", "sx", "system", "!", "code_wrap"}
# Below these stands no Python. What stands below others, such as %%debug, is missed.
NO_PYTHON = {
    "bash", "sh", "script", "cmd", "ruby", "perl", "pypy", "python", "python2", "python3",
    "html", "HTML", "latex", "markdown", "svg", "SVG", "javascript", "js",
}  # fmt: skip


class Compiler(CachingCompiler):
    """Gives all code of a cell the cell's name, and its lines their numbers there, also below a magic."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = ""
        self.above = 0  # lines of the cell above the code

    def ast_parse(self, source: str, filename: str = "", symbol: str = "exec") -> Any:
        """The syntax tree of some code of the cell."""
        source = "\n" * self.above + source
        try:
            return super().ast_parse(source, self.cell, symbol)
        except SyntaxError:
            ast.parse(source, self.cell)  # says more than "incomplete input"
            raise

    def __call__(self, source: Any, filename: str, symbol: str, **options: Any) -> CodeType:
        """The code of a syntax tree; IPython names what %%time runs "<timed exec>"."""
        return super().__call__(source, self.cell if filename.startswith("<timed") else filename, symbol, **options)

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """The name of the cell."""
        return self.cell

    @contextmanager
    def below(self, place: FrameType | None, lines: int) -> Iterator[None]:
        """While a magic runs that is called at a place in a cell."""
        outside = self.cell, self.above
        if place is not None and place.f_code.co_filename.startswith("cell "):
            self.cell, self.above = place.f_code.co_filename, place.f_lineno - 1 + lines
        try:
            yield
        finally:
            self.cell, self.above = outside


class Unshown(DisplayHook):
    """Keeps the value of a cell in `_` and `Out`, and shows nothing."""

    def write_output_prompt(self) -> None:
        """Write none."""

    def compute_format_data(self, result: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """No form of the value."""
        return {}, {}


class Unformatted(DisplayFormatter):
    """Makes no picture and no text of what is to be displayed."""

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """No form of the object."""
        return {}, {}


class Unpublished(DisplayPublisher):
    """Displays nothing."""

    def publish(self, *args: Any, **options: Any) -> None:
        """Take it, and keep nothing of it."""

    def clear_output(self, wait: bool = False) -> None:
        """Nothing was shown."""


class Shell(InteractiveShell):
    """Runs cells, and knows of the last one the error that stopped it or was shown below it.

    `begun`: whether any of it was run; it was not where Python or IPython refused it.
    """

    compiler_class = Type(Compiler)
    displayhook_class = Type(Unshown)
    display_pub_class = Type(Unpublished)

    def __init__(self, **options: Any) -> None:
        config = Config(HistoryManager={"enabled": False})
        super().__init__(config=config, **options)
        sys.path.insert(0, "")  # what %%writefile has written is imported
        self.input_transformer_manager = Translator()
        self.problem: BaseException | None = None
        self.begun = False
        self._before: dict[str, Any] = {}
        self._source = ""
        self._loop = asyncio.new_event_loop()
        load_ipython_extension(self)  # for %store, as each kernel does

    def run(self, source: str, name: str) -> None:
        """Run a cell; what it raises is raised."""
        self.compile.cell = name
        self.problem, self.begun = None, False
        self._source, self._before = source, dict(self.user_ns)
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run(source))
        except BaseException as problem:
            self.problem = problem
            self._loop = asyncio.new_event_loop()  # in the old one the cell would go on
        if self.problem is not None:
            raise self.problem
        self._before = {}

    async def _run(self, source: str) -> None:
        refused = None
        try:
            code = self.transform_cell(source)
        except Exception:
            code, refused = source, sys.exc_info()
        result = await self.run_cell_async(
            source, store_history=True, transformed_cell=code, preprocessing_exc_tuple=refused
        )
        self.events.trigger("post_execute")
        self.events.trigger("post_run_cell", result)
        for problem in (result.error_in_exec, result.error_before_exec):
            if problem is not None:  # an error may say that it is false
                self.problem = problem

    def lost(self) -> list[str]:
        """The names that the last cell was to give from where it stopped on, and has not given."""
        nothing = object()
        names = names_of(self._source, self._line())
        if self._source.lstrip().startswith("%%"):  # of a magic that is not here nobody knows what it does
            names |= names_by_look(self._source)
        return sorted(n for n in names if self.user_ns.get(n, nothing) is self._before.get(n, nothing))

    def _line(self) -> int:
        """Where the last cell stopped."""
        line, trace = 1, None if self.problem is None else self.problem.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if (code.co_filename, code.co_name) == (self.compile.cell, "<module>"):
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def needed(self, names: list[str]) -> list[str]:
        """These names, and all that functions of these names use, also through each other."""
        needed: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += _uses(self.user_ns.get(name))
        return sorted(needed)

    # What IPython tells its readers

    def init_display_formatter(self) -> None:
        """Make one that does nothing."""
        self.display_formatter = Unformatted(parent=self)
        self.configurables.append(self.display_formatter)

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **options: Any) -> None:
        """Note the error, also one that a magic such as %%capture shows and does not pass on."""
        if self.problem is None:
            self.problem = (exc_tuple or sys.exc_info())[1]

    def showsyntaxerror(self, *args: Any, **options: Any) -> None:
        """The same for what Python refuses."""
        self.showtraceback()

    def _format_exception_for_storage(self, *args: Any, **options: Any) -> dict[str, Any]:
        return {}

    # What IPython does outside

    def transform_cell(self, raw_cell: str) -> str:
        """The cell as plain Python, with the empty lines at its beginning, which IPython takes away."""
        self.input_transformer_manager.begin()
        empty = raw_cell.count("\n", 0, len(raw_cell) - len(raw_cell.lstrip()))
        return "\n" * empty + str(super().transform_cell(raw_cell))

    def transform_ast(self, node: Any) -> Any:
        """The syntax tree, which Python has taken."""
        self.begun = True
        return super().transform_ast(node)

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """A magic in a line: one that is not here, or cannot be used so, does nothing."""
        if self._is_idle("line", magic_name, LINE_MAGICS):
            return None
        line = _once(line) if magic_name == "timeit" else line
        with self.compile.below(sys._getframe(_stack_depth), 0), suppress(UsageError):
            return super().run_line_magic(magic_name, line, _stack_depth + 1)
        return None

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """A magic above a cell: UsageError for one that is not here, as the cell is not run then."""
        if self._is_idle("cell", magic_name, CELL_MAGICS):
            if magic_name not in NO_PYTHON:
                raise UsageError(f"what stands below %%{magic_name} was not run")
            self._name_output(line)
            return None
        line = _once(line) if magic_name == "timeit" else line
        with self.compile.below(sys._getframe(1), 1):
            return super().run_cell_magic(magic_name, line, cell)

    def _is_idle(self, kind: str, name: str, acting: set[str]) -> bool:
        """Whether a magic of IPython does nothing here; those that a notebook defines are run."""
        return name not in acting and name in self._magics_of_ipython[kind]

    def init_magics(self) -> None:
        """Note which are IPython's own."""
        super().init_magics()
        self._magics_of_ipython = {kind: frozenset(names) for kind, names in self.magics_manager.lsmagic().items()}

    def _name_output(self, options: str) -> None:
        """What ``%%bash --out lines`` assigns: what a program has written that was not started."""
        words = options.replace("=", " ").split()
        for option, name in pairwise(words):
            if option in ("--out", "--err") and name.isidentifier():
                self.user_ns[name] = ""

    def system(self, cmd: str) -> None:
        """As for ``!command``: a program that wrote nothing and went well."""
        self.user_ns["_exit_code"] = 0

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """As for ``lines = !command``."""
        return SList() if split else ""

    def enable_gui(self, gui: str | None = None) -> None:
        """Open no window."""

    def enable_matplotlib(self, gui: str | None = None) -> tuple[str, str]:
        """Leave Matplotlib as it is: it draws for no screen."""
        return "inline", "agg"

    def ask_exit(self) -> None:
        """Go on: a notebook is graded to its end."""

    def set_next_input(self, s: str, replace: bool = False) -> None:
        """There is none."""


def _once(options: str) -> str:
    """What ``%timeit`` is told, so that it runs its code once and does not measure for seconds."""
    chosen = re.match(r"(\s*-[nrp]\s*\d+|\s*-[tcqo]+(?=\s|$)|\s*-v\s*\w+)*", options)
    end = chosen.end() if chosen else 0
    rest = re.sub(r"-[nr]\s*\d+", "", options[:end])
    return f"-n1 -r1 {rest} {options[end:].lstrip()}"


def _uses(value: Any) -> set[str]:
    """The global names in the code of a function or of the methods of a class."""
    names: set[str] = set()
    members = list(vars(value).values()) if isinstance(value, type) else [value]
    codes = [getattr(getattr(member, "__wrapped__", member), "__code__", None) for member in members]
    while codes:
        code = codes.pop()
        if isinstance(code, CodeType):
            names |= set(code.co_names)
            codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return names
