"""Exercise 03: do we need all these parameters?"""

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.exercises.task import Case, Exercise, Mistake, Task, Written, seeded
from course_utils.methods.predict_parameters import (
    choose_observed,
    pixel_coordinates,
    prediction_matrix,
    squared_exponential,
)
from course_utils.methods.prune import magnitude_mask
from course_utils.methods.weights import weights_of
from course_utils.models import count_parameters, mlp
from course_utils.train.federated import average_update, message_bytes

__all__ = ["EXERCISE"]

EXACT = 1e-9  # the tolerance of integers, which may be large

# Task 1: the parameters of a perceptron


def size_cases(seed: int) -> Sequence[Case]:
    """Networks of two and three layers; as edge cases one without a hidden layer."""
    a, b, c, d = torch.randint(4, 60, (4,), generator=seeded(seed)).tolist()
    cases = [Case((sizes,)) for sizes in ([3, 4, 2], [a, b, c], [64, d, c, 10], [784, 300, 100, 10])]
    return [*cases, Case(([a, d],), edge="no hidden layer")]


def mlp_parameters(sizes: Sequence[int]) -> int:
    """The parameters of a multilayer perceptron with these layers."""
    with torch.device("meta"):  # shapes, but no memory and no random numbers
        return count_parameters(mlp(sizes))


def _weights(sizes: Sequence[int]) -> int:
    with torch.device("meta"):
        return sum(weight.tensor.numel() for weight in weights_of(mlp(sizes)).values())


SIZE = Task(
    "mlp_parameters",
    "Count the parameters",
    2,
    mlp_parameters,
    size_cases,
    (
        Mistake(
            "no biases",
            "each neuron behind the inputs has a bias as well; yours counts the weights alone.",
            _weights,
        ),
        Mistake(
            "biases of inputs",
            "the inputs are not computed, so they have no bias; yours gives them one each.",
            lambda sizes: mlp_parameters(sizes) + sizes[0],
        ),
        Mistake(
            "outputs without bias",
            "the neurons of the last layer have a bias too.",
            lambda sizes: mlp_parameters(sizes) - sizes[-1],
        ),
        Mistake(
            "one bias for a layer",
            "each neuron has its own bias, so a layer has as many biases as neurons; yours has one for all.",
            lambda sizes: _weights(sizes) + len(sizes) - 1,
        ),
        Mistake(
            "last layer missing",
            "the last layer is missing: there is one layer fewer than there are sizes, and all of them count.",
            lambda sizes: mlp_parameters(sizes[:-1]) if len(sizes) > 2 else 0,
        ),
        Mistake(
            "neurons",
            "this is the number of neurons; each neuron of a layer has a weight for each neuron of the layer before.",
            lambda sizes: sum(sizes),
        ),
    ),
    ("models.count_parameters", "models.mlp", "models.build", "models.lenet_300_100"),
    EXACT,
)

# Task 2: labels that mean nothing, in the lecture's panel


def label_cases(seed: int) -> Sequence[Case]:
    """Rows of ten classes; as edge cases a share of nothing and of all."""
    generator = seeded(seed)
    cases = []
    for rows, share in [(6, 0.5), (11, 0.35), (20, 0.25), (40, 0.45), (200, 0.9), (8, 0.0), (8, 1.0)]:
        draws = torch.rand(rows, generator=generator)
        labels = torch.randint(10, (rows,), generator=generator)
        new = (labels + torch.randint(1, 10, (rows,), generator=generator)) % 10  # never the old one
        edge = {0.0: "no label is replaced", 1.0: "all labels are replaced"}.get(share, "")
        cases.append(Case((labels,), {"share": share, "draws": draws, "new": new}, edge))
    return cases


def corrupt_labels(labels: Tensor, *, share: float, draws: Tensor, new: Tensor) -> Tensor:
    """The labels with a share of them replaced: those of the smallest draws, which pruning would take first."""
    return torch.where(magnitude_mask(draws, sparsity=share), labels, new)


def _one_after_the_other(labels: Tensor, share: float, draws: Tensor, new: Tensor) -> Tensor:
    rows = (~magnitude_mask(draws, sparsity=share)).nonzero()[:, 0]
    return labels.scatter(0, rows[draws[rows].argsort()], new)


LABELS = Task(
    "corrupt_labels",
    "Labels that mean nothing, in the panel",
    3,
    corrupt_labels,
    label_cases,
    (
        Mistake(
            "threshold for count",
            "yours replaces the labels whose draw is below the share, which is the right number only on average; "
            "exactly round(share · n) of them are replaced.",
            lambda labels, share, draws, new: torch.where(draws < share, new, labels),
        ),
        Mistake(
            "largest draws",
            "the rows with the smallest draws are chosen; yours takes those with the largest.",
            lambda labels, share, draws, new: corrupt_labels(labels, share=share, draws=1 - draws, new=new),
        ),
        Mistake(
            "first rows",
            "the draws say which rows are chosen; yours takes the first rows, whatever was drawn.",
            lambda labels, share, draws, new: corrupt_labels(
                labels, share=share, draws=torch.arange(1.0, len(labels) + 1), new=new
            ),
        ),
        Mistake(
            "order for rank",
            "argsort gives the number of the row that comes first, then of the second, and so on; yours reads it as "
            "the place of each row in that order.",
            lambda labels, share, draws, new: corrupt_labels(
                labels, share=share, draws=draws.argsort().float() + 1, new=new
            ),
        ),
        Mistake(
            "from the front",
            "each row has its own new label, at the same place in `new`; yours uses the first ones of `new`, "
            "in the order of the draws.",
            _one_after_the_other,
        ),
        Mistake(
            "cut off",
            "share · n is rounded to the nearest integer; yours rounds down.",
            lambda labels, share, draws, new: corrupt_labels(
                labels, share=int(share * len(labels)) / len(labels), draws=draws, new=new
            ),
        ),
    ),
    (
        "methods.prune.magnitude_mask",
        "methods.prune._keep_largest",
        "data.corruption.random_labels",
        "data.corruption._chosen",
    ),
)

# Task 3: the remaining weights


def weight_cases(seed: int) -> Sequence[Case]:
    """A few kept weights of features on a line and on grids; as edge cases all of them, and no ridge."""
    generator, cases = seeded(seed), []
    for number, (shape, count) in enumerate([((4,), 2), ((3, 3), 4), ((4, 4), 6), ((6, 6), 9), ((8, 8), 20)]):
        kernel = squared_exponential(pixel_coordinates(shape), width=0.9)
        observed = choose_observed(len(kernel), count, seed=seed + number)[0]
        weights = torch.randn(number + 1, count, generator=generator)
        ridge = (0.5, 0.2, 0.3, 0.1, 0.4)[number]
        cases.append(Case((weights,), {"kernel": kernel, "observed": observed, "ridge": ridge}))
    small = squared_exponential(pixel_coordinates((4,)), width=0.9)
    for observed, ridge, edge in [
        (torch.arange(4), 0.2, "all weights are kept"),
        (torch.tensor([0, 3]), 0.0, "a ridge of 0"),
    ]:
        weights = torch.randn(2, len(observed), generator=generator)
        cases.append(Case((weights,), {"kernel": small, "observed": observed, "ridge": ridge}, edge))
    return cases


def predict_others(weights: Tensor, *, kernel: Tensor, observed: Tensor, ridge: float) -> Tensor:
    """All weights of each feature from the kept ones, by kernel ridge regression."""
    return weights @ prediction_matrix(kernel, observed, ridge=ridge).T


def _with_block(weights: Tensor, kernel: Tensor, observed: Tensor, block: Tensor) -> Tensor:
    """The prediction in which `block` stands for the kernel of the kept pixels with its ridge."""
    m, across = len(observed), kernel[:, observed]
    larger = torch.cat([torch.cat([block, across.T], 1), torch.cat([across, kernel], 1)])
    return predict_others(weights, kernel=larger, observed=torch.arange(m), ridge=0)[:, m:]


OTHERS = Task(
    "predict_others",
    "Predict the other weights",
    4,
    predict_others,
    weight_cases,
    (
        Mistake(
            "no ridge",
            "the ridge is missing: it is added to the kernel of the kept pixels before that is inverted.",
            lambda weights, kernel, observed, ridge: predict_others(weights, kernel=kernel, observed=observed, ridge=0),
        ),
        Mistake(
            "ridge everywhere",
            "the ridge is multiplied by I, so it belongs on the diagonal alone; yours is added to every entry.",
            lambda weights, kernel, observed, ridge: _with_block(
                weights, kernel, observed, kernel[observed][:, observed] + ridge
            ),
        ),
        Mistake(
            "no inverse",
            "the inverse is missing: kept pixels that lie close together carry the same information, and in yours each "
            "of them counts in full.",
            lambda weights, kernel, observed, ridge: _with_block(weights, kernel, observed, torch.eye(len(observed))),
        ),
        Mistake(
            "kept ones stay",
            "the formula holds for the kept pixels as well, whose weights the ridge moves a little; in yours they "
            "stay. The ridge is added only to the matrix that is inverted.",
            lambda weights, kernel, observed, ridge: predict_others(
                weights, kernel=kernel + ridge * torch.eye(len(kernel)), observed=observed, ridge=0
            ),
        ),
        Mistake(
            "only the kept ones",
            "a weight is asked for at every pixel; yours has them at the kept pixels only.",
            lambda weights, kernel, observed, ridge: predict_others(
                weights, kernel=kernel[observed][:, observed], observed=torch.arange(len(observed)), ridge=ridge
            ),
        ),
        Mistake(
            "first pixels",
            "`observed` says which pixels are kept; yours takes the first ones, as many as are kept.",
            lambda weights, kernel, observed, ridge: predict_others(
                weights, kernel=kernel, observed=torch.arange(len(observed)), ridge=ridge
            ),
        ),
    ),
    (
        "methods.predict_parameters.prediction_matrix",
        "methods.predict_parameters.predict_weights",
        "methods.predict_parameters.PredictedLinear",
    ),
    1e-3,
)

# Task 4: the server's step


def server_cases(seed: int) -> Sequence[Case]:
    """Clients with different numbers of rows; as edge cases a single one, and one that has no rows."""
    generator, cases = seeded(seed), []
    for clients, shape in [(2, (3,)), (3, (4,)), (4, (3, 5)), (10, (6, 8)), (7, (2, 3, 4)), (1, (3,)), (3, (2, 2))]:
        rows = torch.randint(5, 90, (clients,), generator=generator).tolist()
        w, updates = torch.randn(shape, generator=generator), torch.randn(clients, *shape, generator=generator)
        edge = "a single client" if clients == 1 else ""
        cases.append(Case((w, updates), {"rows": rows}, edge))
    last = cases.pop()
    cases.append(Case(last.args, {"rows": [12, 0, 30]}, "a client without rows"))
    return cases


def server_step(w: Tensor, updates: Tensor, *, rows: Sequence[int]) -> Tensor:
    """The server's weights after a round of federated averaging."""
    return w + average_update(updates, rows)


SERVER = Task(
    "server_step",
    "The server's step",
    3,
    server_step,
    server_cases,
    (
        Mistake(
            "plain mean",
            "a client with more rows counts for more; yours gives all clients the same weight.",
            lambda w, updates, rows: w + average_update(updates, [1] * len(rows)),
        ),
        Mistake(
            "plain sum",
            "yours adds up the unweighted updates; each is to be multiplied by the client's share of the rows.",
            lambda w, updates, rows: w + average_update(updates, [1] * len(rows)) * len(rows),
        ),
        Mistake(
            "not divided",
            "the factor of a client is its share of all rows; yours is its number of rows, so the step is far too "
            "long.",
            lambda w, updates, rows: w + average_update(updates, rows) * sum(rows),
        ),
        Mistake(
            "divided by the clients",
            "n is the number of all rows; yours divides by the number of clients.",
            lambda w, updates, rows: w + average_update(updates, rows) * sum(rows) / len(rows),
        ),
        Mistake(
            "against the updates",
            "an update says where a client wants to go, and the server goes there; a minus belongs to a gradient.",
            lambda w, updates, rows: w - average_update(updates, rows),
        ),
        Mistake(
            "without the old weights",
            "yours is the mean update alone; the server starts from its weights w.",
            lambda w, updates, rows: average_update(updates, rows),
        ),
    ),
    ("train.federated.average_update", "train.federated.federated_averaging", "train.federated._Server"),
)

# Task 5: the bytes of an update


def byte_cases(seed: int) -> Sequence[Case]:
    """The tensors of small networks at few bits; as edge cases 32 bits, where no range is sent."""
    generator = seeded(seed)
    cases = [Case(([(3,)],), {"bits": 3})]
    for bits in (1, 2, 5, 7):
        a, b, c = torch.randint(3, 40, (3,), generator=generator).tolist()
        cases.append(Case(([(a, b), (a,), (c, a), (2 * c + 1,)],), {"bits": bits}))
    cases.append(Case(([(9, 5), (9,)],), {"bits": 32}, "32 bits, sent as they are"))
    return cases


def _empty(shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    return [torch.empty(shape, device="meta") for shape in shapes]


def update_bytes(shapes: Sequence[tuple[int, ...]], *, bits: int) -> int:
    """The bytes of a message with tensors of these shapes."""
    return message_bytes(_empty(shapes), bits)


BYTES = Task(
    "update_bytes",
    "The bytes of an update",
    2,
    update_bytes,
    byte_cases,
    (
        Mistake(
            "no range",
            "below 32 bits the receiver has to know the minimum and the maximum of each tensor: 8 more bytes.",
            lambda shapes, bits: update_bytes(shapes, bits=bits) - (8 * len(shapes) if bits < 32 else 0),
        ),
        Mistake(
            "range at 32 bits",
            "at 32 bits the numbers are sent as they are, and no range goes with them.",
            lambda shapes, bits: update_bytes(shapes, bits=bits) + (0 if bits < 32 else 8 * len(shapes)),
        ),
        Mistake(
            "one range for all",
            "each tensor has its own minimum and maximum; yours sends one range for all of them.",
            lambda shapes, bits: update_bytes(shapes, bits=bits) - (8 * (len(shapes) - 1) if bits < 32 else 0),
        ),
        Mistake(
            "rounded once",
            "each tensor begins with a new byte, so each is rounded up by itself; yours rounds the whole message once.",
            lambda shapes, bits: (
                message_bytes([torch.cat([e.flatten() for e in _empty(shapes)])], bits)
                + (8 * (len(shapes) - 1) if bits < 32 else 0)
            ),
        ),
        Mistake(
            "cut off",
            "a byte of which only some bits are used is sent all the same: round up; yours rounds down.",
            lambda shapes, bits: (
                update_bytes(shapes, bits=bits) - sum(e.numel() * bits % 8 > 0 for e in _empty(shapes))
            ),
        ),
        Mistake(
            "bits for bytes",
            "a byte has 8 bits; yours has counted the bits of the numbers as bytes.",
            lambda shapes, bits: sum(e.numel() * bits for e in _empty(shapes)) + (8 * len(shapes) if bits < 32 else 0),
        ),
    ),
    ("train.federated.message_bytes", "train.federated.federated_averaging", "train.federated._Server"),
    EXACT,
)

EXERCISE = Exercise(
    "ex03",
    "Do we need all these parameters?",
    65,
    (SIZE, LABELS, OTHERS, SERVER, BYTES),
    Written("What an error of 0 says", 3),
)
