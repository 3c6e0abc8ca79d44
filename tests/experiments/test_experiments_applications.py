"""The miniatures: states and edges against plain formulas, sizes against networks that are built, what an agent learns
against dynamic programming."""

from typing import Any

import numpy as np
import pytest
import torch
from miniatures import few_digits, trained_classifiers, trained_spellers, trained_translators
from scipy import ndimage
from torch import nn

from course_utils.data import Dataset, load_dataset
from course_utils.data.vision import import_torchvision
from course_utils.experiments.applications.agent import agent, falling, greedy_path
from course_utils.experiments.applications.captions import STATES, spelling_scores
from course_utils.experiments.applications.classifier import WIDTHS, small_cnn
from course_utils.experiments.applications.depth import gradients
from course_utils.experiments.applications.dqn import Replay, best_of, learn, q_network
from course_utils.experiments.applications.edges import INK, chimera, dotted, edges_of, rubbed_out, sharpened
from course_utils.experiments.applications.gridworld import CELLS, COLUMNS, MAP, ROWS, START, make_world
from course_utils.experiments.applications.miniature import digit_pictures
from course_utils.experiments.applications.sizes import atari_network, networks, sizes, unet_generator
from course_utils.experiments.applications.speller import LETTERS, NAMES, Speller, spell, spelled, train_speller
from course_utils.experiments.applications.speller import START as BEGIN
from course_utils.experiments.applications.translator import BUILDS, Translator, Translators
from course_utils.models import count_parameters
from course_utils.train import evaluate


def test_only_pictures_of_digits_are_taken() -> None:
    wrong = Dataset("table", torch.zeros(4, 3), torch.arange(4), torch.zeros(4, 3), torch.arange(4), classes=4)
    with pytest.raises(ValueError, match="needs pictures of the ten digits"):
        digit_pictures(wrong)


def test_errors_of_the_classifiers_are_those_of_evaluate() -> None:
    read = trained_classifiers()
    for width, model in read.models.items():
        assert read.errors(1)[width] == pytest.approx(100 - 100 * evaluate(model, read.data).accuracy)
        q = (9 + 1) * width + (9 * width + 1) * 2 * width + (2 * width * 4 + 1) * 10
        assert count_parameters(small_cnn(8, width)) == q
    p, labels = read.probabilities[2].numpy(), read.data.y_test.numpy()
    for k in (1, 3, 5):
        among = (np.argsort(-p, axis=1)[:, :k] == labels[:, None]).any(1)
        assert read.errors(k)[2] == pytest.approx(100 * (1 - among.mean()))
    assert read.errors(10) == dict.fromkeys(WIDTHS, 0.0)
    assert repr(read).count("Q = ") == len(WIDTHS)


def test_a_step_of_the_speller_is_the_formula_and_teacher_forcing_is_the_same_steps() -> None:
    torch.manual_seed(0)
    model = Speller(8, 4).eval()
    images, before = torch.rand(3, 1, 8, 8), torch.tensor([[BEGIN, 2, 5]] * 3)
    with torch.no_grad():
        together = model(images, before)
        state = model.encoder(images)
        w, u = model.cell.weight_hh_l0, model.cell.weight_ih_l0
        for t in range(3):
            e = model.letter(before[:, t])
            by_hand = torch.tanh(state @ w.T + e @ u.T + model.cell.bias_hh_l0 + model.cell.bias_ih_l0)
            state, logits = model.step(state, before[:, t])
            torch.testing.assert_close(state, by_hand)
            torch.testing.assert_close(logits, together[:, t])
            torch.testing.assert_close(logits, by_hand @ model.head.weight.T + model.head.bias)


def test_the_speller_learns_the_names_and_forgets_without_its_state() -> None:
    data = load_dataset("digits")
    *_, model = train_speller(data, state=32, epochs=6)
    letters, p, states = spell(model, data.x_test)
    right, unknown = spelling_scores(spelled(letters), data.y_test)
    assert right > 0.85
    assert unknown < 0.05
    torch.testing.assert_close(p.sum(2), torch.ones(len(p), 6))
    assert states.shape == (len(p), 7, 32)
    forgetful, _, _ = spell(model, data.x_test, forget=True)
    assert spelling_scores(spelled(forgetful), data.y_test)[0] < 0.2
    for row in forgetful:  # after the first letter only the letter before decides
        for again in forgetful[forgetful[:, 0] == row[0]]:
            assert torch.equal(row, again)


def test_spellers_have_a_line_for_each_state() -> None:
    assert repr(trained_spellers()).count("state") == len(STATES)


def test_names_are_spelt_with_the_letters_that_there_are() -> None:
    assert set("".join(NAMES)) | {"."} == set(LETTERS)
    assert len(LETTERS) == 16
    assert spelling_scores(["six", "sero"], torch.tensor([6, 0])) == (0.5, 0.5)


def test_edges_are_ink_that_erosion_takes_away() -> None:
    pictures = sharpened(load_dataset("digits").x_test[:20])
    assert pictures.shape == (20, 1, 16, 16)
    for picture, edges in zip(pictures[:, 0].numpy(), edges_of(pictures)[:, 0].numpy(), strict=True):
        ink = picture > INK
        np.testing.assert_array_equal(edges, ink & ~ndimage.binary_erosion(ink))


def test_nothing_but_the_bottleneck_passes_without_shortcuts() -> None:
    torch.manual_seed(0)
    edges = (torch.rand(2, 1, 16, 16) > 0.5).float()
    for shortcuts in (False, True):
        model = Translator(16, 4, shortcuts=shortcuts).eval()
        with torch.no_grad():
            model.squeeze.weight.zero_()  # the code is then the same for every input
            outputs = model(edges)
        assert torch.allclose(outputs[0], outputs[1]) is not shortcuts
        assert 0 <= float(outputs.min()) <= float(outputs.max()) <= 1


def test_translators_learn_from_the_truth_of_their_own_row() -> None:
    untrained, trained = (Translators(few_digits(), trained_classifiers(), epochs=epochs) for epochs in (0, 4))
    for name in BUILDS:
        assert trained.quality(name, trained.edges).error < 0.8 * untrained.quality(name, untrained.edges).error
    quality = trained.quality("8, shortcuts", trained.edges)
    assert quality.error == pytest.approx(float((quality.outputs - trained.truth).abs().mean()))
    assert quality.accuracy == pytest.approx(
        float((trained.read(quality.outputs) == trained.data.y_test).float().mean())
    )
    assert repr(trained).count("Q = ") == len(BUILDS)


def test_changes_of_the_edges() -> None:
    edges = trained_translators().edges
    for change in (rubbed_out, dotted, chimera):
        torch.testing.assert_close(change(edges, 0.0), edges)
    assert rubbed_out(edges, 0.5)[:, :, :8].sum() == 0
    torch.testing.assert_close(rubbed_out(edges, 0.5)[:, :, 8:], edges[:, :, 8:])
    assert float((dotted(edges, 1.0) != edges).float().mean()) == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(chimera(edges, 1.0)[0], edges[1])
    torch.testing.assert_close(chimera(edges, 0.5)[0, :, :8], edges[0, :, :8])


@pytest.mark.parametrize(("wind", "gamma"), [(0.0, 0.9), (0.3, 0.95)])
def test_best_values_solve_bellmans_equation_and_are_those_of_their_policy(wind: float, gamma: float) -> None:
    world = make_world(wind=wind)
    q = world.best(gamma)
    # P of the greedy policy as a matrix, and its values as the solution of a linear system
    cells = len(CELLS)
    chances = np.zeros((cells, cells))
    for s in range(cells):
        chances[s, world.moves[s, q[s].argmax()]] += 1 - wind
        chances[s, world.moves[s, 2]] += wind
    values = np.linalg.solve(np.eye(cells) - gamma * chances * ~world.ends, chances @ world.rewards)
    np.testing.assert_allclose(values, q.max(1), atol=1e-7)
    np.testing.assert_allclose(world.value_of(q.argmax(1), gamma), values, atol=1e-7)
    assert (world.after(q.max(1), gamma) <= q.max(1)[:, None] + 1e-7).all()  # no action is better


def test_the_border_between_treat_and_goal() -> None:
    world = make_world()
    border = 0.3 ** (1 / 7)
    for gamma, end in ((border - 0.01, "T"), (border + 0.01, "G")):
        path = greedy_path(world.best(gamma), world)
        assert CELLS[path[-1]] == end
        assert len(path) - 1 == {"T": 2, "G": 9}[end]
    assert len(MAP) == ROWS
    assert {len(row) for row in MAP} == {COLUMNS}


def test_the_memory_forgets_the_oldest_step_and_draws_the_others() -> None:
    memory = Replay(3)
    for number in range(5):
        memory.add(number, number % 4, float(number), number + 1)
    cells, actions, rewards, after = memory.draw(200, np.random.default_rng(0))
    assert set(cells.tolist()) == {2, 3, 4}
    torch.testing.assert_close(rewards, cells.float())
    torch.testing.assert_close(after, cells + 1)
    torch.testing.assert_close(actions, cells % 4)


def test_nothing_follows_an_end() -> None:
    world = make_world()
    torch.manual_seed(0)
    model = q_network(len(CELLS))
    best = best_of(model, world).numpy()
    assert (best[world.ends] == 0).all()
    with torch.no_grad():
        np.testing.assert_allclose(best[START], float(model(torch.eye(len(CELLS))[[START]]).max()))


def test_deep_q_learning_finds_what_dynamic_programming_finds() -> None:
    world, trained = make_world(), agent()
    best = world.best(0.9)
    path = greedy_path(trained.learning.q, world)
    assert CELLS[path[-1]] == "G"
    np.testing.assert_allclose(trained.learning.q.max(1)[path[:-1]], best.max(1)[path[:-1]], atol=0.04)
    assert trained.quality == pytest.approx((0.9**8, 0.9**8))
    assert max(trained.learning.returns) <= 0.9**8 + 1e-9
    assert "Q = 2,340" in repr(trained)


def test_learning_is_repeatable_and_follows_its_schedule() -> None:
    settings: dict[str, Any] = {"gamma": 0.9, "steps": 300}
    first, second = (list(learn(make_world(), epsilon=falling(0.1), **settings))[-1] for _ in range(2))
    np.testing.assert_array_equal(first.q, second.q)
    assert first.returns == second.returns
    *_, never = learn(make_world(), epsilon=lambda share: 0.0, **settings)
    *_, always = learn(make_world(), epsilon=lambda share: 1.0, anywhere=True, **settings)
    assert len(set(never.returns)) < len(set(always.returns))
    for wrong in (lambda share: 2, lambda share: "often"):
        with pytest.raises(ValueError, match="number from 0 to 1"):
            list(learn(make_world(), epsilon=wrong, **settings))


def test_gradients_fade_through_sigmoids_and_not_past_shortcuts() -> None:
    data = load_dataset("digits")
    x, labels = data.x_train[:32].flatten(1), data.y_train[:32]
    sigmoid = gradients("sigmoid", 20, x, labels)
    assert (sigmoid[:-1] / sigmoid[1:] < 0.6).all()
    assert sigmoid[0] / sigmoid[-1] < 0.25**18
    for layers in (2, 10, 100):
        for scale in (0.7, 1.0, 1.3):
            around = gradients("ReLU and shortcuts", layers, x, labels, scale=scale)
            assert 0.1 < around.min() < around.max() < 4
    assert gradients("ReLU", 100, x, labels, scale=0.8).max() < 1e-9
    assert gradients("ReLU", 100, x, labels, scale=1.2).min() > 1e6


def test_published_sizes_are_those_of_networks_that_are_built() -> None:
    counted = networks(trained_classifiers(), trained_spellers(), trained_translators())
    counts = {network.name: network.q for network in counted}
    with torch.device("meta"):
        assert counts["AlexNet (2012)"] == count_parameters(import_torchvision().models.alexnet())
        atari = nn.Sequential(
            nn.Conv2d(4, 32, 8, 4), nn.Conv2d(32, 64, 4, 2), nn.Conv2d(64, 64, 3), nn.Flatten(),
            nn.Linear(3136, 512), nn.Linear(512, 18),
        )  # fmt: skip
        assert atari(torch.zeros(1, 4, 84, 84)).shape == (1, 18)
        assert counts["Atari player (2015)"] == atari_network() == count_parameters(atari)
        down = [nn.Conv2d(n, m, 4, 2, 1) for n, m in ((3, 64), (64, 128), (128, 256), (256, 512), *[(512, 512)] * 4)]
        up = [(512, 512), *[(1024, 512)] * 3, (1024, 256), (512, 128), (256, 64), (128, 3)]
        unet = nn.ModuleList([*down, *(nn.ConvTranspose2d(n, m, 4, 2, 1) for n, m in up)])
        assert counts["edges to photos (2016)"] == unet_generator() == count_parameters(unet)
    assert list(counts.values()) == sorted(counts.values())
    assert f"{counts['VGG16 (2014)']:,}" in sizes(counted)
