"""The panels of `test_stress` in a real kernel: random hands, cells and *Interrupt Kernel* at any moment."""

import json
import queue
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import Kernel, kernel

HERE = Path(__file__).parent
CELLS = f"""
import json, sys
sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent / "tools")!r}]
from test_stress import WORDS, a_cell, make
expected = a_cell()
panels = [make(number) for number in range(8)]
print(json.dumps([panel.comm.comm_id for panel in panels]))
"""
LOOK = "print(json.dumps([[panel._json_values(), panel.words, bool(panel._computation)] for panel in panels]))"


class Page:
    """What a browser does and sees."""

    def __init__(self, running: Kernel, seed: int) -> None:
        self.kernel, self.client, self.hand = running, running.client, random.Random(seed)
        self.views: list[str] = json.loads(running.run(CELLS).splitlines()[-1])
        self.frames: dict[str, dict[str, Any]] = {}
        self.replies: list[str] = []
        self.cells = 0
        for view in self.views:
            self.custom(view, kind="hello", view="a view", scale=1, width=500)

    def tell(self, view: str, data: dict[str, Any]) -> None:
        message = self.client.session.msg("comm_msg", {"comm_id": view, "data": data})
        self.client.shell_channel.send(message)

    def custom(self, view: str, /, **content: Any) -> None:
        self.tell(view, {"method": "custom", "content": content})

    def move(self, view: str, /, **state: Any) -> None:
        self.tell(view, {"method": "update", "state": state, "buffer_paths": []})

    def event(self) -> None:
        number = self.hand.randrange(8)
        view = self.views[number]
        kind = self.hand.choices(["move", "train", "stop", "again", "cell", "interrupt"], [60, 20, 5, 5, 10, 6])[0]
        if kind == "move":
            self.move(view, n=self.hand.randrange(9), word=self.hand.choice(["a", "b", ""]))
        elif kind == "train" and number % 2:
            self.move(view, train=self.hand.random() < 0.7)
        elif kind in ("stop", "again") and number % 2:
            self.custom(view, kind=kind)
        elif kind == "cell":
            self.client.execute("assert a_cell() == expected", stop_on_error=False)
            self.cells += 1
        elif kind == "interrupt":
            self.kernel.manager.interrupt_kernel()
        self.listen(self.hand.choice([0, 0, 0.005, 0.03]))

    def listen(self, seconds: float) -> None:
        """Take what has come, until nothing comes for so long."""
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=seconds)
            except queue.Empty:
                break
            content = message["content"]
            data = content.get("data", {})
            if message["msg_type"] == "comm_msg" and data["method"] == "custom" and data["content"]["kind"] == "frame":
                self.frames[content["comm_id"]] = data["content"]
        while self.client.shell_channel.msg_ready():
            content = self.client.get_shell_msg()["content"]
            self.replies.append(content.get("ename", content["status"]))

    def listen_until(self, over: Callable[[], bool]) -> None:
        end = time.monotonic() + 180
        while not over():
            assert time.monotonic() < end, (self.cells, self.replies, self.frames)
            self.listen(0.2)

    def answered(self, number: int) -> bool:
        """Whether the picture of the final values is there."""
        frame = self.frames.get(self.views[number])
        return (
            frame is not None and frame["settled"] and (frame["values"]["n"], frame["values"]["word"]) == (number, "a")
        )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_hands_cells_and_interrupts(seed: int) -> None:
    with kernel(forked=False) as running:
        page = Page(running, seed)
        for _ in range(400):
            page.event()
        page.listen_until(lambda: len(page.replies) == page.cells)
        for number, view in enumerate(page.views):  # then a hand that nobody disturbs
            page.move(view, n=number, word="a")
        page.listen_until(lambda: all(page.answered(number) for number in range(8)))
        shown = json.loads(running.run(LOOK).splitlines()[-1])
        assert set(page.replies) <= {"ok", "KeyboardInterrupt"}
        assert page.replies.count("ok") > 20
        for view, (values, words, under_way) in zip(page.views, shown, strict=True):
            assert not under_way
            assert page.frames[view]["values"] == values
            assert page.frames[view]["words"] == words
