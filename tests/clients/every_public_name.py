"""What an engineer checks by `mypy --strict`: each public name is used once, with its types."""

from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils import CompressedModel, Panel, Recipe, evaluate, fit, load_dataset, measured, mlp
from course_utils.coding.container import FormatError, load, read_header, save
from course_utils.coding.gaps import decode_gaps, encode_gaps
from course_utils.coding.huffman import HuffmanCode
from course_utils.compress import compress
from course_utils.data import DataError, Dataset, available
from course_utils.methods import (
    activations,
    binarize,
    codebook,
    distill,
    lottery,
    lowrank,
    movement,
    narrow,
    penalties,
    prune,
    quantize,
    semi_structured,
)
from course_utils.models import lenet5, lenet_300_100, resnet20
from course_utils.panels.engine import Choice, Slider
from course_utils.train import History, Metrics, pick_device
from course_utils.train.ensemble import fit_many
from course_utils.train.sweep import run_sweep


def penalised(w: Tensor, model: nn.Module) -> list[Tensor]:
    """The penalties and their proximal operators."""
    regularizer = penalties.Regularizer("group", lam=1e-4)
    regularizer.prox_(model, lr=0.1)
    zeros: list[float] = penalties.sparsity(model, threshold=1e-3)
    neurons: list[int] = penalties.active_neurons(model)
    assert len(zeros) <= len(neurons) + 1
    return [
        regularizer(model),
        penalties.l1(w),
        penalties.l2(w),
        penalties.elastic_net(w, l1_ratio=0.5),
        penalties.group(w, dim=0),
        penalties.sparse_group(w, dim=0, l1_ratio=0.5),
        penalties.prox_l1(w, step=0.1),
        penalties.prox_l2(w, step=0.1),
        penalties.prox_elastic_net(w, step=0.1, l1_ratio=0.5),
        penalties.prox_group(w, step=0.1, dim=0),
        penalties.prox_sparse_group(w, step=0.1, dim=0, l1_ratio=0.5),
    ]


def quantized(w: Tensor, model: nn.Module) -> list[Tensor]:
    """Codes of few bits."""
    qparams = quantize.choose_qparams(w, bits=4, symmetric=True, axis=0)
    codes = quantize.quantize(w, qparams, stochastic=False)
    quantize.quantize_model(model, bits=4)
    with quantize.LowPrecision(model, compute_bits=10, update_bits=12):
        model(torch.rand(2, 4))
    return [
        quantize.dequantize(codes, qparams),
        quantize.fake_quantize(w, bits=4),
        quantize.FixedPoint(bits=8, frac_bits=4).round(w),
        quantize.DynamicFixedPoint(bits=8).round(w),
    ]


def in_the_present(w: Tensor, x: Tensor, model: nn.Sequential) -> list[Tensor]:
    """Few bits without retraining, other formats, rounding in training, and whole numbers; w is (out, in)."""
    codes, qparams = quantize.gptq(w, x.T @ x, bits=4, group=2, damping=0.01, order="curvature")
    scaled: nn.Module = quantize.awq(model, bits=4, calibration=x)
    rounded: nn.Module = quantize.quantize_model(scaled, bits=4, group=2, rounding="gptq", calibration=x)
    positive = quantize.quantize(x, quantize.choose_qparams(x, bits=8))
    sums = quantize.integer_linear(positive, positive, zero_point=3)
    multiplier = quantize.Multiplier.of(torch.tensor(0.5))
    lsq: quantize.LSQ = quantize.LSQ.fitted(w, bits=4, axis=0)
    return [
        quantize.dequantize(codes, qparams),
        rounded(x),
        quantize.awq_scales(w, x.T @ x, x.abs().mean(0), bits=4),
        quantize.E4M3.round(x) + quantize.E5M2.round(x) + quantize.E2M1.round(x),
        quantize.FloatFormat(exponent_bits=3, mantissa_bits=2, maximum=28.0).values(),
        quantize.mx_round(x, group=2) / quantize.mx_scales(x, group=2).amax(),
        quantize.dequantize_nf4(*quantize.quantize_nf4(x, group=2), group=2) + quantize.NF4[0],
        quantize.MinMaxQuantizer(bits=4)(x) + lsq(w).sum(),
        quantize.requantize(sums, multiplier, quantize.choose_qparams(x, bits=8)),
        quantize.IntegerNetwork(model, calibration=x)(x),
    ]


def tickets(model: nn.Module) -> dict[str, Tensor]:
    """Rewinding, movement and 2:4."""
    state = dict(model.state_dict())
    pruner: prune.Pruner = lottery.find_ticket(model, schedule=[0.5], train=lambda model: None, state=state)
    lottery.rewind_(pruner, state)
    moving = movement.MovementPruner(model)
    moving.prune(0.5)
    mask: Tensor = semi_structured.n_of_m_mask(torch.rand(4, 8), n=2, m=4)
    return {**moving.finish_(), "2:4": mask}


def binary(w: Tensor) -> list[Tensor]:
    """One bit, and two."""
    codes, scale = binarize.ternarize(w, factor=0.7)
    x = torch.randn(3, w.shape[1])
    product = binarize.xnor_linear(binarize.pack_bits(x), binarize.pack_bits(w), n=w.shape[1])
    layers: list[nn.Module] = [
        binarize.BinaryLinear(4, 3),
        binarize.BinaryConv2d(1, 2, 3),
        binarize.TernaryLinear(4, 3),
        binarize.TernaryConv2d(1, 2, 3),
        binarize.BNNLinear(4, 3),
        binarize.BNNConv2d(1, 2, 3),
        binarize.BitLinear(4, 3),
    ]
    assert layers
    present = [binarize.absmax_round(w), *binarize.absmean_ternarize(w)]
    return [binarize.hard_sigmoid(w), binarize.binarize(w), codes, scale, product, *present]


def smaller(w: Tensor, model: nn.Module) -> Tensor:
    """Pruned, shared, of low rank."""
    mask: Tensor = prune.magnitude_mask(w, sparsity=0.5)
    with prune.Pruner(model).prune(sparsity=0.5) as pruner:
        pruner.step_()
    book = codebook.fit_codebook(w, size=4)
    result: narrow.NarrowResult = narrow.narrow(model, w)
    print(result, result.after.milliseconds, result.left)
    return mask * book.decode() + lowrank.low_rank(w, rank=1)[0].sum()


def taught(logits: Tensor, labels: Tensor) -> list[Tensor]:
    """The loss of a student, and flexible activations."""
    x = torch.randn(3, 4)
    return [
        distill.distillation_loss(logits, logits, labels, temperature=2.0, alpha=0.5),
        activations.ParametricTanh(4)(x),
        activations.APL(4, 2)(x),
        activations.Maxout(4, 3, 2)(x),
        activations.KAF(4, size=20, boundary=3.0)(x),
    ]


def coded(path: Path) -> dict[str, object]:
    """The coders and the file."""
    mask = torch.tensor([0, 1, 0, 1]).bool().numpy()
    gaps, fillers = encode_gaps(mask, bits=3)
    decode_gaps(gaps, fillers, size=4, bits=3)
    code = HuffmanCode.from_counts([3, 1])
    code.decode(code.encode(mask.astype("uint8")), count=4)
    save(path, {"a": mask}, metadata={"name": "a"})
    try:
        read_header(path)
        return dict(load(path, max_bytes=2**20))
    except FormatError as error:
        raise SystemExit(str(error)) from error


def trained(data: Dataset) -> CompressedModel:
    """From a network to a file and back."""
    model = mlp([data.features, 10, data.classes])
    history: History = fit(model, data, epochs=1, device="auto", seed=0)
    metrics: Metrics = evaluate(model, data)
    networks = fit_many(lambda: mlp([data.features, 5, data.classes]), data, settings=[{"lr": 0.1}], epochs=1)
    records = run_sweep(len, [], journal=None)
    print(
        history,
        metrics.accuracy,
        len(networks),
        len(records),
        pick_device(),
        [m() for m in (lenet5, lenet_300_100, resnet20)],
    )
    small = compress(model, Recipe(prune=0.5, levels=4), data=data, teacher=model)
    small.save("a.cun")
    CompressedModel.load("a.cun", max_bytes=2**20).to_model()
    print(small.report())
    return small


def shown() -> Panel:
    """A panel of one's own."""
    try:
        print(load_dataset("digits"), available(), measured("binary"))
    except DataError as error:
        print(error)
    controls = [Slider(name="a", label="Slope", values=[0, 1]), Choice(name="b", label="Kind", options={"x": 1})]
    return Panel("A line", controls, lambda a, b: a, lambda figure: str)
