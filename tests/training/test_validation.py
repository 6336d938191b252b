"""The scores of an epoch, against scikit-learn and against those that are reported in the end."""

import math

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, roc_auc_score
from torch import Tensor

from transxv2s.scoring import score
from transxv2s.taxonomy import ISIC2019
from transxv2s.training.validation import Answers, scores

ABSENT = 7


@pytest.fixture
def answers() -> tuple[Tensor, Tensor]:
    """Of 60 images, none of the last class, which one of them is taken for."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(ABSENT, (60,), generator=generator)
    logits = torch.randn(60, len(ISIC2019), generator=generator)
    logits[torch.arange(60), labels] += 1.5
    logits[:, ABSENT] -= 10
    logits[0, ABSENT] = 10
    return logits, labels


def test_an_absent_class_that_is_named_once_does_not_count(answers: tuple[Tensor, Tensor]) -> None:
    found = scores(*answers)
    p, y = answers[0].double().softmax(1).numpy(), answers[1].numpy()
    named = p.argmax(1)
    assert ABSENT in named
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, named))
    present = list(range(ABSENT))
    assert found["macro_f1"] == pytest.approx(f1_score(y, named, labels=present, average="macro"))
    areas = [roc_auc_score(y == c, p[:, c]) for c in present]
    assert found["macro_auc"] == pytest.approx(sum(areas) / len(areas))
    assert found["loss"] == pytest.approx(log_loss(y, p, labels=range(len(ISIC2019))), rel=1e-6)


def test_scores_are_those_that_are_reported(answers: tuple[Tensor, Tensor]) -> None:
    found = scores(*answers)
    reported = score(answers[0].double().softmax(1).numpy(), answers[1].numpy(), ISIC2019)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc"):
        assert found[name] == pytest.approx(reported[name])


def test_logits_that_are_not_finite_show_in_the_loss(answers: tuple[Tensor, Tensor]) -> None:
    answers[0][5] = torch.nan
    assert math.isnan(scores(*answers)["loss"])


def test_batches_are_put_together(answers: tuple[Tensor, Tensor]) -> None:
    metric = Answers()
    for part in (slice(0, 7), slice(7, 60)):
        metric.update(answers[0][part], answers[1][part])
    logits, labels = metric.compute()
    assert torch.equal(logits, answers[0])
    assert torch.equal(labels, answers[1])
