"""The task: scaling, loss, mixing, clipping, averaging, small images at the start, the end of a budget."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor, nn

from transxv2s.training.callbacks import Stopwatch
from transxv2s.training.losses import CrossEntropy, LogitAdjusted
from transxv2s.training.recipe import Recipe
from transxv2s.training.task import LesionTask

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
    recipe = Recipe.model_validate({"data": {"dataset": "isic2019", "root": "i", "split": "s"}, **changes})
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


@pytest.mark.parametrize("loss", [CrossEntropy(label_smoothing=0), LogitAdjusted(tau=0.5)])
def test_the_loss_is_that_of_the_recipe(
    loss: CrossEntropy, batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(monkeypatch, loss=loss)
    expected = loss.build(SIZES)(task(batch[0]), batch[1])
    assert task.training_step(batch, 0).item() == pytest.approx(expected.item(), rel=1e-6)


def test_mixed_images_have_mixed_targets(
    batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is linear in the targets: that of the blend is the blend of the losses."""
    task = task_of(monkeypatch, augmentation={"mixup": 1.0}, loss={"label_smoothing": 0})
    loss = task.training_step(batch, 0).item()
    shown, own = shown_to(task), (batch[0].float() / 255 - 0.5) / 0.5
    other = own.roll(1, 0)
    share = ((shown - other) / (own - other).where(own != other, 1)).median().item()
    torch.testing.assert_close(shown, share * own + (1 - share) * other, atol=1e-4, rtol=0)
    logits = task.network(shown)
    cross_entropy = torch.nn.functional.cross_entropy
    blend = share * cross_entropy(logits, batch[1]) + (1 - share) * cross_entropy(logits, batch[1].roll(1))
    assert 0 < share < 1
    assert loss == pytest.approx(blend.item(), abs=1e-4)


@pytest.mark.parametrize(("limit", "norm"), [(None, 5.0), (10.0, 5.0), (2.0, 2.0)])
def test_the_gradient_is_clipped_by_its_norm(
    limit: float | None, norm: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(monkeypatch, optimizer={"gradient_clip": limit})
    parameters = list(task.network.parameters())
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    first, second = (p.grad for p in parameters)
    assert first is not None
    assert second is not None
    first[0, 0], second[0] = 3.0, 4.0
    task.configure_gradient_clipping(torch.optim.SGD(parameters), None, None)
    assert [first[0, 0].item(), second[0].item()] == pytest.approx([3 * norm / 5, 4 * norm / 5], rel=1e-5)


def test_training_learns_the_weights_and_validation_asks_their_average(
    batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(monkeypatch, averaging={"decay": 0.9})
    with torch.no_grad():
        task.network.linear.weight.add_(1.0)  # type: ignore[operator, union-attr]
    learnt, averaged = task.train()(batch[0]), task.eval()(batch[0])
    torch.testing.assert_close(learnt, task.network((batch[0].float() / 255 - 0.5) / 0.5))
    torch.testing.assert_close(averaged, task.deployed((batch[0].float() / 255 - 0.5) / 0.5))
    assert not torch.equal(learnt, averaged)


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
    assert logged["validation/balanced_accuracy"] == pytest.approx(expected)
    names = ("loss", "accuracy", "balanced_accuracy", "macro_f1", "macro_auc")
    assert set(logged) == {f"validation/{name}" for name in names}
    assert task.answers.update_count == 0


@pytest.mark.parametrize(("minutes", "seconds", "progress"), [(2.0, 30.0, 0.25), (2.0, 500.0, 1.0)])
def test_progress_of_a_time_budget_follows_the_clock(minutes: float, seconds: float, progress: float) -> None:
    recipe = Recipe.model_validate(
        {"data": {"dataset": "isic2019", "root": "i", "split": "s"}, "minutes": minutes}
    )
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
