"""What a training leaves behind beside the network: a row for each epoch."""

from dataclasses import dataclass

__all__ = ["Epoch", "History"]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data; the test columns are None where it was not evaluated."""

    number: int
    train_loss: float
    test_loss: float | None
    test_accuracy: float | None
    seconds: float


class History(list[Epoch]):
    """The epochs of a training, oldest first, with the columns that one plots."""

    @property
    def train_loss(self) -> list[float]:
        """The mean loss on the training data, without the penalty, of each epoch."""
        return [e.train_loss for e in self]

    @property
    def test_accuracy(self) -> list[float]:
        """The test accuracy of each epoch that was evaluated."""
        return [e.test_accuracy for e in self if e.test_accuracy is not None]

    @property
    def seconds(self) -> float:
        """The time that all epochs took."""
        return sum(e.seconds for e in self)

    def __repr__(self) -> str:
        if not self:
            return "History of 0 epochs"
        accuracy = f", test accuracy {self.test_accuracy[-1]:.4f}" if self.test_accuracy else ""
        return f"History of {len(self)} epochs in {self.seconds:.1f} s: train loss {self[-1].train_loss:.4f}{accuracy}"
