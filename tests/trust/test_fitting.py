"""All of trust fitted together: what each part rests on, and what few images allow."""

import functools

import numpy as np
import pytest

from transxv2s.scoring.bootstrap import lesion_numbers
from transxv2s.scoring.confusion import balanced_accuracy
from transxv2s.scoring.reliability import expected_calibration_error
from transxv2s.taxonomy import ISIC2019
from transxv2s.trust import fitting
from transxv2s.trust.fitting import (
    KNOWN,
    NOVEL_SHARE,
    Fitted,
    Outputs,
    evenly_by_class,
    fit,
    learn_novelty,
)
from transxv2s.trust.judgement import Judge, advice
from transxv2s.trust.policy import Goals
from transxv2s.trust.scaling import KINDS, Kind, Temperature
from transxv2s.trust.scaling_choice import choose, held_out
from transxv2s.trust.scaling_fit import FOLDS, SEED, folds_of
from transxv2s.trust.scaling_fit import fit as fit_scaling

SIZES = dict.fromkeys(ISIC2019.codes, 1000) | {"DF": 50, "VASC": 100}


def outputs(lesions: int, seed: int, far: float = 0.0) -> Outputs:
    """A network that is right more often than not and too sure; two images of each lesion."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(generator.choice(8, lesions, p=[0.2, 0.4, 0.12, 0.06, 0.1, 0.04, 0.04, 0.04]), 2)
    logits = generator.normal(0, 2, (2 * lesions, 8)) + 4 * np.eye(8)[labels]
    centres = np.random.default_rng(99).normal(0, 3, (8, 12))
    features = centres[labels] + generator.normal(0, 1, (2 * lesions, 12)) + far
    return Outputs(logits, features, labels, [f"lesion {i // 2}" for i in range(2 * lesions)])


def test_sets_and_policy_rest_on_lesions_that_the_scaling_was_not_fitted_on() -> None:
    given = outputs(300, 0)
    fitted = fit(given, None, ISIC2019, SIZES, "somewhere")
    assert fitted.choice is not None
    kind = fitted.choice.kind
    assert fitted.trust.scaling == fit_scaling(kind, given.logits, given.labels, given.lesions)
    fold = folds_of(given.labels, lesion_numbers(given.lesions, 600), FOLDS, SEED)
    out = fold == 2
    lesions = [lesion for lesion, left in zip(given.lesions, out, strict=True) if not left]
    scaling = fit_scaling(kind, given.logits[~out], given.labels[~out], lesions)
    np.testing.assert_allclose(fitted.held_out[out], scaling.probabilities(given.logits[out]))
    again = held_out(kind, given.logits, given.labels, given.lesions)
    np.testing.assert_array_equal(fitted.held_out, again)
    assert fitted.trust.fitted_on == "somewhere"
    assert fitted.trust.sets.limits.lesions == tuple(np.bincount(given.labels[::2], minlength=8))


def test_calibrated_probabilities_know_what_is_rare_and_the_adjustment_names_it_all_the_same() -> None:
    """Training drew classes evenly: the likelihood wants their shares back, balanced accuracy does not."""
    generator = np.random.default_rng(0)
    labels = generator.choice(8, 1500, p=[0.02, 0.86, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02])
    logits = generator.normal(0, 1, (1500, 8)) + 2 * np.eye(8)[labels]
    given = Outputs(logits, logits, labels, [str(i) for i in range(1500)])
    fitted = fit(given, None, ISIC2019, SIZES, "")
    assert fitted.choice is not None
    assert fitted.choice.kind != "temperature"
    plain = held_out("temperature", given.logits, given.labels, given.lesions)
    assert expected_calibration_error(fitted.held_out, labels) < expected_calibration_error(plain, labels)
    named = fitted.trust.adjusted(fitted.held_out)
    most_probable, by_the_network = (balanced_accuracy(p, labels) for p in (fitted.held_out, plain))
    assert most_probable < by_the_network - 0.1
    assert balanced_accuracy(named, labels) > by_the_network - 0.02
    judge = Judge(fitted.trust, ISIC2019)
    evidence = judge.evidence(logits, logits, [()] * 1500)
    np.testing.assert_array_equal(evidence.predicted, fitted.trust.adjusted(evidence.probabilities).argmax(1))
    rows = np.arange(1500)
    assert evidence.members[rows, evidence.predicted].all()
    np.testing.assert_array_equal(evidence.confidence, evidence.probabilities[rows, evidence.predicted])


def test_of_equally_likely_scalings_the_one_that_refers_least_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    given = outputs(300, 7)
    once = functools.cache(lambda kind: held_out(kind, given.logits, given.labels, given.lesions))
    monkeypatch.setattr(fitting, "held_out_probabilities", lambda kind, *_: once(kind))  # slow, and the same

    def with_only(*kinds: Kind) -> Fitted:
        monkeypatch.setattr(fitting, "choose", lambda *a: choose(*a).model_copy(update={"as_good": kinds}))
        return fit(given, None, ISIC2019, SIZES, "")

    alone = {kind: with_only(kind) for kind in KINDS}
    needs = {kind: one.tuned.floors for kind, one in alone.items()}
    assert len(set(needs.values())) == 3, "the forms have to differ for this to say anything"
    together = with_only(*KINDS)
    least = min(needs, key=needs.__getitem__)
    assert together.choice is not None
    assert (together.choice.kind, together.choice.referred) == (least, needs)
    assert together.trust == alone[least].trust
    assert together.trust.scaling.kind == least

    monkeypatch.setattr(fitting, "_names_fewer_rightly", lambda one, *_: one.trust == alone[least].trust)
    second = with_only(*KINDS)
    del needs[least]
    assert second.choice is not None
    assert (second.choice.kind, second.choice.referred) == (min(needs, key=needs.__getitem__), needs)


def test_naming_fewer_rightly_is_judged_over_lesions() -> None:
    given = outputs(200, 8)
    one = fit(outputs(9, 8), None, ISIC2019, SIZES, "")  # of few lesions, whose likeliest class is named
    right = np.eye(8)[given.labels]
    for wrong, fewer in ((2, False), (20, True)):  # lesions; the standard error is about √wrong of them
        worse = right.copy()
        worse[: 2 * wrong] = np.roll(worse[: 2 * wrong], 1, axis=1)
        better = right.copy()
        better[-2 * 2 :] = np.roll(better[-2 * 2 :], 1, axis=1)
        pair = (one._replace(held_out=worse), one._replace(held_out=better))
        assert fitting._names_fewer_rightly(*pair, given) is fewer
        assert not fitting._names_fewer_rightly(pair[1], pair[0], given)


def test_rare_and_missed_classes_get_a_floor_the_rarest_first() -> None:
    given = outputs(400, 1)
    given.logits[given.labels == 3] -= 6 * np.eye(8)[3]  # actinic keratosis is never named
    policy = fit(given, None, ISIC2019, SIZES, "").trust.policy
    assert list(policy.rare) == ["DF", "VASC"]
    assert list(policy.often_missed or {}) == ["AK"]


def test_novelty_calls_few_known_images_novel_and_far_ones_all() -> None:
    score = learn_novelty(outputs(500, 2))
    known = outputs(400, 3)
    fitted = fit(known, score, ISIC2019, SIZES, "validation")
    assert fitted.score is score
    assert fitted.trust.novelty is not None
    assert fitted.trust.novelty.share == NOVEL_SHARE
    judge = Judge(fitted.trust, ISIC2019, fitted.score)
    for further, least, most in ((outputs(400, 4), 0.0, 0.05), (outputs(400, 5, far=9.0), 0.99, 1.0)):
        evidence = judge.evidence(further.logits, further.features, [()] * len(further.labels))
        assert least <= evidence.novel.mean() <= most
        words = judge.reasons(evidence)
        assert all(("unlike" in " ".join(w)) == novel for w, novel in zip(words, evidence.novel, strict=True))


def test_few_images_give_temperature_scaling_and_no_novelty() -> None:
    given = outputs(4, 0)
    fitted = fit(given, learn_novelty(outputs(100, 1)), ISIC2019, SIZES, "")
    assert isinstance(fitted.trust.scaling, Temperature)
    assert (fitted.choice, fitted.score, fitted.trust.novelty) == (None, None, None)
    assert fitted.trust.sets.always() == list(range(8)), "no class has enough lesions for a limit"


def test_sets_by_group_and_the_goals_that_were_asked_for() -> None:
    given = outputs(300, 6)
    grouped = Outputs(
        given.logits, given.features, given.labels, given.lesions, groups=["here", "there"] * 300
    )
    goals = Goals(sensitivity=0.8, rare_sensitivity=0.7, budget=0.6)
    fitted = fit(grouped, None, ISIC2019, SIZES, "", goals=goals, coverage=0.8, grouping="source")
    assert set(fitted.trust.sets.groups) == {"here", "there"}
    assert (fitted.trust.sets.coverage, fitted.trust.policy.goals) == (0.8, goals)
    assert fitted.tuned.shares["all"] <= 0.6


def test_training_images_are_taken_evenly_from_each_class() -> None:
    labels = [0] * (3 * KNOWN) + [5] * 7 + [2] * (KNOWN + 1)
    places = evenly_by_class(labels)
    assert places == sorted(set(places))
    assert [sum(labels[i] == k for i in places) for k in (0, 5, 2)] == [KNOWN, 7, KNOWN]
    assert (places[0], places[-1]) == (0, len(labels) - 1)


@pytest.mark.parametrize(("code", "words"), [("NV", ""), ("MEL", "is malignant"), ("AK", "is precancerous")])
def test_advice(code: str, words: str) -> None:
    said = advice(code, ISIC2019)
    assert words in said
    assert bool(said) == bool(words)
