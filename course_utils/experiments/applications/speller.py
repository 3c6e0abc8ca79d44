"""A network that looks at a digit and spells out its name: an encoder, and a recurrent network that decodes.

    h_0 = tanh(encoder(picture))
    h_t = tanh(W h_{t-1} + U e(letter_{t-1}) + b)        e: a vector for each letter, trained as well
    p_t = softmax(V h_t + c)                             how likely each letter is as the t-th one

The same W, U, V serve at every step; only the state h_t changes. Training shows the network the right letters before
the one that it has to name (teacher forcing) and takes the cross-entropy of each letter.
Source of the plan: Vinyals, Toshev, Bengio, Erhan 2014, arXiv:1411.4555, with words in the place of letters.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.experiments.applications.miniature import new_network
from course_utils.experiments.lesson import Pauses

__all__ = ["LETTERS", "NAMES", "STOP", "Choose", "Speller", "greedy", "spell", "spelled", "train_speller"]

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
STOP = "."  # ends a word
LETTERS = "".join(sorted(set("".join(NAMES)))) + STOP
START = len(LETTERS)  # stands before the first letter
LONGEST = max(map(len, NAMES)) + 1  # letters of a name, and the full stop
BATCH = 64
NOTHING = -100  # behind the full stop: F.cross_entropy leaves it out

Choose = Callable[[Tensor], Any]


def codes() -> Tensor:
    """The names as numbers of letters, shape (10, 6), each ended by a full stop and filled up with NOTHING."""
    rows = [[LETTERS.index(letter) for letter in name + STOP] for name in NAMES]
    return torch.tensor([row + [NOTHING] * (LONGEST - len(row)) for row in rows])


class Speller(nn.Module):
    """Pictures of shape (n, 1, side, side) in, letters out; `state` is how many numbers it can remember."""

    def __init__(self, side: int, state: int, *, hidden: int = 64, letter: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(side * side, hidden), nn.ReLU(), nn.Linear(hidden, state), nn.Tanh()
        )
        self.letter = nn.Embedding(len(LETTERS) + 1, letter)
        self.cell = nn.RNN(letter, state, batch_first=True)
        self.head = nn.Linear(state, len(LETTERS))

    def forward(self, images: Tensor, before: Tensor) -> Tensor:
        """Logits (n, t, 16) of the letters that follow `before` (n, t), whose first column is START."""
        states, _ = self.cell(self.letter(before), self.encoder(images)[None])
        return self.head(states)

    def step(self, state: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """One step: the next state (n, state) and the logits (n, 16) of the next letter."""
        states, _ = self.cell(self.letter(before)[:, None], state[None])
        return states[:, 0], self.head(states[:, 0])


def train_speller(
    data: Dataset, *, state: int, epochs: int, lr: float = 0.01, seed: int = 0
) -> Iterator[Speller | None]:
    """Train a new speller by Adam, and yield it before the first epoch and after each; None in a pause between."""
    model = new_network(lambda: Speller(data.input_shape[-1], state), seed=seed)
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    targets = codes()[data.y_train]
    before = torch.cat([torch.full((len(targets), 1), START), targets[:, :-1].clamp(min=0)], 1)
    steps = epochs * math.ceil(len(targets) / BATCH)
    slower = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / steps)
    pauses = Pauses()
    yield model
    for _ in range(epochs):
        for batch in torch.randperm(len(targets), generator=order).split(BATCH):
            logits = model(data.x_train[batch], before[batch])
            loss = F.cross_entropy(logits.flatten(0, 1), targets[batch].flatten(), ignore_index=NOTHING)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            slower.step()
            if pauses.due():
                yield None
        yield model


def greedy(p: Tensor) -> int:
    """The most likely letter.

    >>> greedy(torch.tensor([0.2, 0.5, 0.3]))
    1
    """
    return int(p.argmax())


@torch.no_grad()
def spell(
    model: Speller, images: Tensor, *, choose: Choose = greedy, forget: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Spell the names of pictures (n, 1, side, side), six letters each.

    `choose`: the rule from the probabilities p of the 16 letters to the number of one.
    `forget`: set the state to zero after each letter, so that nothing is carried from step to step.

    Returns: the letters (n, 6), their probabilities (n, 6, 16), and the states (n, 7, state), the encoder's first.

    Raises: ValueError if `choose` does not return the number of a letter.
    """
    state = model.encoder(images)
    before = torch.full((len(images),), START)
    states, letters, probabilities = [state], [], []
    for _ in range(LONGEST):
        state, logits = model.step(state, before)
        p = torch.softmax(logits, 1)
        before = p.argmax(1) if choose is greedy else torch.tensor([_checked(choose(row.clone())) for row in p])
        states.append(state)
        letters.append(before)
        probabilities.append(p)
        if forget:
            state = torch.zeros_like(state)
    return torch.stack(letters, 1), torch.stack(probabilities, 1), torch.stack(states, 1)


def _checked(letter: Any) -> int:
    """What a reader's rule returned, if it is the number of a letter."""
    try:
        number = int(letter)
    except (TypeError, ValueError, RuntimeError):
        number = -1
    if not 0 <= number < len(LETTERS):
        raise ValueError(
            f"choose must return the number of a letter, from 0 to {len(LETTERS) - 1}, got {letter!r}; "
            "p.argmax() is one"
        )
    return number


def spelled(letters: Tensor) -> list[str]:
    """Rows of letters as words, up to the full stop; a word without one keeps all of its letters.

    >>> spelled(torch.tensor([[LETTERS.index(c) for c in "two..."], [LETTERS.index(c) for c in "sevens"]]))
    ['two', 'sevens']
    """
    return ["".join(LETTERS[i] for i in row).split(STOP)[0] for row in letters.tolist()]
