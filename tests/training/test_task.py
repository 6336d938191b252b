"""The task: scaling, loss, class weights, small images at the start, and the end of a time budget."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn

from transxv2s.training.callbacks import Stopwatch
from transxv2s.training.recipe import Recipe
from transxv2s.training.task import LesionTask, class_weights

SIZES = torch.tensor([10, 40, 20, 5, 5, 10, 5, 5])


class Recorder(nn.Module):
    """Keeps what it is shown, and answers by a linear layer over mean colours."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 8)
        self.shown = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        self.shown = x
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


def task_of(monkeypatch: pytest.MonkeyPatch, progress: float = 0.0, **changes: Any) -> LesionTask:
    recipe = Recipe.model_validate({"data": {"isic2019": "i", "split": "s"}, **changes})
    task = LesionTask(Recorder(), recipe, SIZES, Stopwatch())
    monkeypatch.setattr(task, "log", lambda *_, **__: None)
    monkeypatch.setattr(task, "progress", lambda: progress)
    return task


def shown_to(task: LesionTask) -> Tensor:
    assert isinstance(task.network, Recorder)
    return task.network.shown


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (6, 3, 128, 128), generator=generator, dtype=torch.uint8)
    return images, torch.tensor([0, 1, 2, 3, 7, 1])


def test_images_are_scaled_by_mean_and_deviation_of_a_half(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(monkeypatch)
    for level, scaled in ((0, -1.0), (255, 1.0), (51, -0.6)):
        task(torch.full((1, 3, 64, 64), level, dtype=torch.uint8))
        torch.testing.assert_close(shown_to(task), torch.full((1, 3, 64, 64), scaled))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_weighted_smoothed_cross_entropy(
    weighted: bool, batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(monkeypatch, label_smoothing=0.1, class_weights=weighted)
    logs = task(batch[0]).log_softmax(1).double()
    weights = 100 / (8 * SIZES.double()) if weighted else torch.ones(8).double()
    total = torch.tensor(0.0).double()
    for row, label in zip(logs, batch[1].tolist(), strict=True):
        total -= 0.9 * weights[label] * row[label] + 0.1 / 8 * (weights * row).sum()
    expected = total / weights[batch[1]].sum()
    assert task.training_step(batch, 0).item() == pytest.approx(expected.item(), rel=1e-5)


@given(labels=st.lists(st.integers(0, 7), min_size=1, max_size=60))
def test_class_weights_are_scikit_learns(labels: list[int]) -> None:
    sizes = torch.bincount(torch.tensor(labels), minlength=8)
    present = np.unique(labels)
    expected = np.zeros(8)
    expected[present] = compute_class_weight("balanced", classes=present, y=np.array(labels))
    np.testing.assert_allclose(class_weights(sizes), expected, rtol=1e-6)


@pytest.mark.parametrize(("progress", "side"), [(0.0, 96), (0.39, 96), (0.4, 128), (1.0, 128)])
def test_images_are_small_in_the_first_share_of_the_run(
    progress: float, side: int, batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(monkeypatch, progress, small_share=0.4, small_size=96)
    task.training_step(batch, 0)
    assert shown_to(task).shape == (6, 3, side, side)
    task.validation_step(batch, 0)
    assert shown_to(task).shape == (6, 3, 128, 128)


def test_validation_scores_are_those_of_the_whole_subset(
    batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    task, logged = task_of(monkeypatch), {}
    monkeypatch.setattr(task, "log_dict", lambda scores, **_: logged.update(scores))
    labels = torch.arange(8)
    images = torch.randint(256, (8, 3, 64, 64), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    for half in (slice(0, 3), slice(3, 8)):
        task.validation_step((images[half], labels[half]), 0)
    task.on_validation_epoch_end()
    expected = balanced_accuracy_score(labels, task(images).argmax(1))
    assert logged["validation/balanced_accuracy"].item() == pytest.approx(expected)
    assert set(logged) == {
        f"validation/{name}" for name in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc")
    }
    assert all(metric.update_count == 0 for metric in task.scores.values())


@pytest.mark.parametrize(("minutes", "seconds", "progress"), [(2.0, 30.0, 0.25), (2.0, 500.0, 1.0)])
def test_progress_of_a_time_budget_follows_the_clock(minutes: float, seconds: float, progress: float) -> None:
    recipe = Recipe.model_validate({"data": {"isic2019": "i", "split": "s"}, "minutes": minutes})
    stopwatch = Stopwatch()
    stopwatch.load_state_dict({"seconds": seconds})
    assert LesionTask(Recorder(), recipe, SIZES, stopwatch).progress() == pytest.approx(progress)


@pytest.mark.parametrize(
    ("progress", "minutes", "stops"), [(1, 2.0, True), (0.9, 2.0, False), (1, None, False)]
)
def test_a_run_stops_when_its_minutes_are_over(
    progress: float, minutes: float | None, stops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = SimpleNamespace(should_stop=False)
    task = task_of(monkeypatch, progress, minutes=minutes)
    monkeypatch.setattr(LesionTask, "trainer", trainer)
    task.on_train_batch_end()
    assert trainer.should_stop is stops
