"""Scaling against scikit-learn and torch, on absent and separated classes, and the choice among the forms."""

import itertools
import math
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from sklearn.linear_model import LogisticRegression

from transxv2s.errors import InputError
from transxv2s.trust.calibration import fit_temperature, softmax
from transxv2s.trust.scaling import (
    KINDS,
    Dirichlet,
    Kind,
    Scaling,
    Temperature,
    Vector,
    log_probabilities,
)
from transxv2s.trust.scaling_choice import Choice, choose, held_out, mean_over_lesions
from transxv2s.trust.scaling_fit import (
    INTERCEPT_PENALTIES,
    OFF_DIAGONAL_PENALTIES,
    Map,
    Penalty,
    Problem,
    fit,
    fit_dirichlet,
    fit_vector,
    folds_of,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
ADAPTER: TypeAdapter[Temperature | Vector | Dirichlet] = TypeAdapter(Scaling)
LOGITS = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(3)), elements=st.floats(-60, 60))

TILTED = Vector(weights=(0.8, 0.5, 1.1, 0.7), bias=(0.5, -1.0, 0.0, 0.5), intercept_penalty=0)
MIXED = Dirichlet(
    weights=((0.9, 0.6, 0.0, 0.0), (-0.5, 0.8, 0.0, 0.4), (0.0, 0.0, 1.0, -0.6), (0.3, 0.0, 0.7, 0.6)),
    bias=(0.5, -0.8, 0.0, 0.3),
    intercept_penalty=0,
    off_diagonal_penalty=0,
)


def drawn(scaling: Scaling, images: int, seed: int = 0) -> tuple[Floats, Integers]:
    """Logits of four classes, and labels drawn from what this scaling makes of them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (images, 4))
    cumulated = scaling.probabilities(logits).cumsum(axis=1)
    return logits, (cumulated < random.random((images, 1))).sum(axis=1).clip(max=3)


def nll(probabilities: Floats, labels: Integers) -> float:
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def own_lesions(images: int) -> list[int]:
    return list(range(images))


def fitted(kind: Kind, logits: Floats, labels: Integers) -> Scaling:
    return fit(kind, logits, labels, own_lesions(len(labels)))


def test_dirichlet_without_penalty_is_multinomial_regression_on_log_probabilities() -> None:
    logits, labels = drawn(MIXED, 600)
    judge = LogisticRegression(C=math.inf, tol=1e-10, max_iter=5000)
    features = np.log(softmax(logits))
    expected = judge.fit(features, labels).predict_proba(features)
    ours = fit_dirichlet(logits, labels, 0, 0).probabilities(logits)
    np.testing.assert_allclose(ours, expected, atol=2e-4)
    assert nll(ours, labels) == pytest.approx(nll(expected, labels), abs=1e-8)


@pytest.mark.parametrize("penalties", [(0.0, 0.0), (0.3, 0.02)])
def test_fits_are_where_torchs_gradient_of_the_loss_vanishes(penalties: tuple[float, float]) -> None:
    intercept, off_diagonal = penalties
    logits, labels = drawn(MIXED, 500)
    log_p = torch.log_softmax(torch.from_numpy(logits), dim=1)
    vector = fit_vector(logits, labels, intercept)
    full = fit_dirichlet(logits, labels, intercept, off_diagonal)
    for found, diagonal in ((vector, True), (full, False)):
        weights = torch.tensor(found.weights, dtype=torch.float64, requires_grad=True)
        bias = torch.tensor(found.bias, dtype=torch.float64, requires_grad=True)
        matrix = torch.diag(weights) if diagonal else weights
        loss = torch.nn.functional.cross_entropy(log_p @ matrix.T + bias, torch.from_numpy(labels))
        penalty = off_diagonal * (matrix - torch.diag(torch.diag(matrix))).square().sum() / 12
        (loss + penalty + intercept * bias.square().mean()).backward()  # type: ignore[no-untyped-call]
        assert weights.grad is not None
        assert bias.grad is not None
        assert max(weights.grad.abs().max(), bias.grad.abs().max()) < 2e-6


def test_the_gradient_is_that_of_finite_differences() -> None:
    random = np.random.default_rng(3)
    logits, labels = random.normal(size=(20, 4)), random.integers(0, 3, 20)  # the last class is absent
    problem, penalty = Problem.of(logits, labels), Penalty(0.2, 0.4)
    at, step = Map(random.normal(size=(4, 4)), random.normal(size=4)), 1e-6
    slope = problem.loss(at, penalty)[1]
    for place in np.ndindex(4, 4):
        move = np.zeros((4, 4))
        move[place] = step
        ends = [problem.loss(Map(at.weights + sign * move, at.bias), penalty)[0] for sign in (1, -1)]
        assert slope.weights[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7)
    for k in range(4):
        move = step * np.eye(4)[k]
        ends = [problem.loss(Map(at.weights, at.bias + sign * move), penalty)[0] for sign in (1, -1)]
        assert slope.bias[k] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7)


def test_on_its_own_images_each_form_does_at_least_as_well_as_the_simpler_one() -> None:
    logits, labels = drawn(MIXED, 400)
    forms = [
        Temperature(temperature=1),
        fit("temperature", logits, labels, own_lesions(400)),
        fit_vector(logits, labels, 0),
        fit_dirichlet(logits, labels, 0, 0),
    ]
    losses = [nll(form.probabilities(logits), labels) for form in forms]
    assert all(later < earlier for earlier, later in itertools.pairwise(losses))


def test_what_the_labels_were_drawn_from_is_found_again() -> None:
    """The mean divergence of a right form with d parameters is d/2N: 4e-4 and 1e-3; of temperature more."""
    for truth, penalty in ((TILTED, Penalty(0)), (MIXED, Penalty(0, 0))):
        logits, labels = drawn(truth, 10_000)
        problem, aim = Problem.of(logits, labels), truth.probabilities(logits)
        start = problem.start()
        for found, least, most in ((problem.fit(penalty, start), 0, 2e-3), (start, 2e-2, 1)):
            divergence = aim * np.log(aim / softmax(found.scores(problem.log_p)))
            assert least <= divergence.sum(1).mean() < most


def test_temperature_is_the_one_of_temperature_scaling() -> None:
    logits, labels = drawn(TILTED, 300)
    found = fitted("temperature", logits, labels)
    assert found == Temperature(temperature=fit_temperature(logits, labels))
    np.testing.assert_array_equal(
        found.probabilities(logits), softmax(logits, fit_temperature(logits, labels))
    )


def test_an_absent_class_keeps_what_temperature_scaling_gives_it() -> None:
    logits, labels = drawn(TILTED, 500)
    logits, labels = logits[labels != 2], labels[labels != 2]
    kept = softmax(logits, fit_temperature(logits, labels))[:, 2].mean()
    assert kept > 0.05
    for form in (fit_vector(logits, labels, 0), fit_dirichlet(logits, labels, 0, 0)):
        assert form.probabilities(logits)[:, 2].mean() == pytest.approx(kept, abs=1e-5)
    for kind in KINDS:
        assert fitted(kind, logits, labels).probabilities(logits)[:, 2].mean() == pytest.approx(
            kept, rel=0.05
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (8 * np.eye(4)[[0, 1, 2, 3] * 5], np.array([0, 1, 2, 3] * 5)),  # separated perfectly
        (np.array([[3.0, 1.0, 0.0, -2.0]]), np.array([1])),  # one image
        (np.zeros((6, 4)), np.array([0, 0, 1, 1, 2, 3])),  # a network that knows nothing
        (np.full((2, 4), -700.0) * np.eye(4)[:2], np.array([0, 1])),  # surely wrong, near the end of float64
    ],
)
def test_extremes_give_finite_numbers(kind: Kind, logits: Floats, labels: Integers) -> None:
    found = fitted(kind, logits, labels).probabilities(logits)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_images_of_one_lesion_get_the_strongest_penalties() -> None:
    logits, labels = drawn(MIXED, 20)
    found = fit("dirichlet", logits, labels, ["the only one"] * 20)
    assert isinstance(found, Dirichlet)
    assert found.intercept_penalty == INTERCEPT_PENALTIES[0]
    assert found.off_diagonal_penalty == OFF_DIAGONAL_PENALTIES[0]


def test_the_penalty_is_the_one_with_the_least_loss_on_lesions_left_out() -> None:
    logits, labels = drawn(TILTED, 240)
    lesions = np.arange(240) // 2
    fold = folds_of(labels, lesions, 5, 0)
    losses = dict.fromkeys(INTERCEPT_PENALTIES, 0.0)
    for strength in losses:
        for out in (fold == number for number in range(5)):
            probabilities = fit_vector(logits[~out], labels[~out], strength).probabilities(logits[out])
            losses[strength] += out.sum() * nll(probabilities, labels[out])
    found = fit("vector", logits, labels, lesions.tolist())
    assert isinstance(found, Vector)
    assert found.intercept_penalty == min(losses, key=lambda strength: losses[strength])


@pytest.mark.parametrize("images", [7, 40, 203])
def test_folds_are_even_and_tear_no_lesion(images: int) -> None:
    random = np.random.default_rng(images)
    lesion = np.unique(random.integers(0, images // 2, images), return_inverse=True)[1]
    label_of = random.integers(0, 3, images)
    fold = folds_of(label_of[lesion], lesion, 5, seed=1)
    lesions = {(int(a), int(b)) for a, b in zip(lesion, fold, strict=True)}
    assert len(lesions) == len(set(lesion.tolist()))
    for part in ([f for _, f in lesions], *([f for a, f in lesions if label_of[a] == c] for c in range(3))):
        sizes = np.bincount(part, minlength=5)
        assert sizes.max() - sizes.min() <= 1


@given(LOGITS)
@settings(max_examples=40, deadline=None)
def test_rows_sum_to_one_and_identity_parameters_leave_softmax(logits: Floats) -> None:
    one = tuple(map(tuple, np.eye(3).tolist()))
    identities: list[Scaling] = [
        Temperature(temperature=1),
        Vector(weights=(1, 1, 1), bias=(0, 0, 0), intercept_penalty=0),
        Dirichlet(weights=one, bias=(0, 0, 0), intercept_penalty=0, off_diagonal_penalty=0),
    ]
    for form in identities:
        np.testing.assert_allclose(form.probabilities(logits), softmax(logits), atol=1e-12)
    other = Vector(weights=(2, 0.1, 1), bias=(3, 0, -1), intercept_penalty=0)
    assert other.probabilities(logits).sum(axis=-1) == pytest.approx(1)
    assert other.probabilities(logits[0]) == pytest.approx(other.probabilities(logits)[0])
    assert other.probabilities(logits + 5) == pytest.approx(other.probabilities(logits), abs=1e-9)


def test_dirichlet_is_what_its_formula_says() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 5, 4))
    weights = torch.tensor(MIXED.weights, dtype=torch.float64)
    log_p = torch.log_softmax(torch.from_numpy(logits), dim=-1)
    scores = torch.einsum("jk,abk->abj", weights, log_p) + torch.tensor(MIXED.bias, dtype=torch.float64)
    np.testing.assert_allclose(MIXED.probabilities(logits), torch.softmax(scores, -1).numpy(), atol=1e-14)
    np.testing.assert_allclose(log_probabilities(logits, 4), log_p.numpy(), atol=1e-14)


@pytest.mark.parametrize("form", [Temperature(temperature=1.37), TILTED, MIXED])
def test_json_gives_back_what_was_stored(form: Scaling) -> None:
    assert ADAPTER.validate_json(ADAPTER.dump_json(form)) == form


@pytest.mark.parametrize(
    ("form", "change"),
    [
        (Temperature(temperature=1), {"temperature": 0.0}),
        (Temperature(temperature=1), {"bias": [0.0]}),
        (Temperature(temperature=1), {"kind": "isotonic"}),
        (TILTED, {"bias": [0.0]}),
        (TILTED, {"weights": [1.0, 1.0, 1.0, math.nan]}),
        (TILTED, {"intercept_penalty": -1.0}),
        (MIXED, {"weights": [[1.0, 0.0], [0.0, 1.0]]}),
        (MIXED, {"bias": [0.0, 0.0, 0.0, math.inf]}),
        (MIXED, {"off_diagonal_penalty": math.inf}),
    ],
)
def test_what_is_stored_wrongly_is_refused(form: Scaling, change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(form.model_dump() | change)


@pytest.mark.parametrize("form", [Temperature(temperature=1), TILTED, MIXED])
def test_logits_must_be_finite_and_of_the_classes(form: Scaling) -> None:
    with pytest.raises(InputError, match="NaN or infinity"):
        form.probabilities([[0.0, 1.0, math.nan, 0.0]])
    if form.kind != "temperature":
        with pytest.raises(InputError, match="of 4 classes"):
            form.probabilities([[0.0, 1.0, 2.0]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("logits", "labels", "lesions", "complaint"),
    [
        (np.full((2, 4), np.nan), [0, 1], [0, 1], "NaN"),
        (np.zeros((2, 4)), [0, 4], [0, 1], "from 0 to 3"),
        (np.zeros((2, 4)), [0], [0, 1], "N ≥ 1"),
        (np.zeros((0, 4)), [], [], "N ≥ 1"),
        (np.zeros((2, 4)), [0, 1], [0], "1 lesions for 2 images"),
        (np.zeros((2, 4)), [0, 1], ["a", ""], "has no lesion"),
    ],
)
def test_what_does_not_go_together_is_refused(
    kind: Kind, logits: Floats, labels: list[int], lesions: list[object], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        fit(kind, logits, labels, lesions)
    with pytest.raises(InputError, match=complaint):
        held_out(kind, logits, labels, lesions)


@pytest.mark.parametrize(
    ("truth", "kind"),
    [(Temperature(temperature=1.6), "temperature"), (TILTED, "vector"), (MIXED, "dirichlet")],
)
def test_the_form_that_the_labels_were_drawn_from_is_chosen(truth: Scaling, kind: Kind) -> None:
    logits, labels = drawn(truth, 600)
    lesions = own_lesions(600)
    found = choose({k: held_out(k, logits, labels, lesions) for k in KINDS}, labels, lesions)
    assert found.kind == kind
    assert tuple(found.scores) == KINDS
    assert found.as_good[0] == kind
    assert Choice.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(("worse", "as_good"), [(0.002, ("vector", "dirichlet")), (0.02, ("vector",))])
def test_richer_forms_that_are_not_clearly_worse_are_as_good(worse: float, as_good: tuple[Kind, ...]) -> None:
    """Losses that differ by noise of 0.05 over 400 lesions: the standard error is 0.0025."""
    noise = np.random.default_rng(0).normal(0, 0.05, 400)
    losses = {"temperature": np.full(400, 0.6), "vector": np.full(400, 0.3)}
    losses["dirichlet"] = 0.3 + worse + noise - noise.mean()
    found: dict[Kind, Floats] = {
        kind: np.stack([np.exp(-losses[kind]), 1 - np.exp(-losses[kind])], 1) for kind in KINDS
    }
    choice = choose(found, np.zeros(400, int), own_lesions(400))
    assert (choice.kind, choice.as_good) == ("vector", as_good)
    assert choice.scores["dirichlet"].gain == pytest.approx(-worse)


def test_copies_of_an_image_do_not_make_a_gain_surer() -> None:
    """The standard error is over lesions: every image five times over says nothing more."""
    difference = np.random.default_rng(0).normal(size=50)
    copies = np.repeat(np.arange(50), 5)
    often, once = mean_over_lesions(difference[copies], copies), mean_over_lesions(difference, np.arange(50))
    assert often == pytest.approx(once)
    assert once == pytest.approx((difference.mean(), difference.std(ddof=1) / math.sqrt(50)))


def test_the_standard_error_is_the_spread_of_lesion_bootstraps() -> None:
    random = np.random.default_rng(5)
    lesion = np.sort(np.unique(random.integers(0, 150, 400), return_inverse=True)[1])
    difference = random.normal(size=lesion.max() + 1)[lesion] + random.normal(0.2, 0.5, 400)
    mean, error = mean_over_lesions(difference, lesion)
    assert mean == pytest.approx(difference.mean())
    count, total = np.bincount(lesion), np.bincount(lesion, difference)
    draws = random.multinomial(len(count), np.full(len(count), 1 / len(count)), 20_000)
    assert error == pytest.approx(((draws @ total) / (draws @ count)).std(), rel=0.05)


def test_a_choice_needs_something_to_leave_out() -> None:
    logits, labels = drawn(TILTED, 10)
    with pytest.raises(InputError, match="two lesions or more"):
        held_out("vector", logits, labels, ["the only one"] * 10)
    with pytest.raises(InputError, match="2 folds or more"):
        held_out("vector", logits, labels, own_lesions(10), folds=1)


def test_kinds_are_those_of_the_union() -> None:
    forms = get_args(get_args(Scaling)[0])
    assert tuple(form.model_fields["kind"].default for form in forms) == KINDS
