"""Several devices: the batches they get, and two processes that train as one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import balanced_accuracy_score

from transxv2s.checkpoint import read_config
from transxv2s.errors import ConfigError
from transxv2s.training import curves, run, start
from transxv2s.training.batches import EpochBatches, SeededImages, Share
from transxv2s.training.curves import SCORE, TRAIN_LOSS, VALIDATION_LOSS, history, points
from transxv2s.training.data import LesionData
from transxv2s.training.recipe import load_recipe
from transxv2s.training.sampling import EpochSampler
from transxv2s.training.task import LesionTask
from transxv2s.training.trainer import LAST

from .program import SmallNetwork, launch, small, write_recipe, write_tiles

WORLDS = (1, 2, 3, 4)


def sampler(images: int = 50, epoch: int = 0, start_at: int = 0) -> EpochSampler:
    made = EpochSampler(torch.ones(images).double(), seed=1)
    made.set_epoch(epoch)
    made.start = start_at
    return made


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("accumulate", [1, 2, 3])
def test_no_image_comes_twice_in_an_epoch(world: int, accumulate: int) -> None:
    devices = [EpochBatches(sampler(), 4, rank, world, accumulate) for rank in range(world)]
    drawn = [image for device in devices for batch in device for image, _ in batch]
    assert len(drawn) == len(set(drawn)) == 50 // (4 * world * accumulate) * 4 * world * accumulate
    assert {len(device) for device in devices} == {len(drawn) // (4 * world)}
    assert [len(list(device)) for device in devices] == [len(device) for device in devices]


@pytest.mark.parametrize("world", WORLDS)
def test_many_devices_see_in_a_step_what_one_sees_that_accumulates(world: int) -> None:
    """The same images, with the same seeds, in the same batches."""
    one = list(EpochBatches(sampler(epoch=3), 4, accumulate=world))
    many = [list(EpochBatches(sampler(epoch=3), 4, rank, world)) for rank in range(world)]
    assert one == [batch for step in zip(*many, strict=True) for batch in step]


@pytest.mark.parametrize("world", WORLDS)
def test_an_epoch_goes_on_where_it_stopped(world: int) -> None:
    for rank in range(world):
        whole = list(EpochBatches(sampler(epoch=2), 4, rank, world))
        for done in range(len(whole) + 1):
            resumed = EpochBatches(sampler(epoch=2, start_at=done * 4 * world), 4, rank, world)
            assert list(resumed) == whole[done:]
            assert list(resumed) == whole  # the next epoch starts at its beginning


def test_random_changes_follow_the_place_in_the_run() -> None:
    seeds = [seed for epoch in range(3) for b in EpochBatches(sampler(epoch=epoch), 5) for _, seed in b]
    assert len(set(seeds)) == len(seeds) == 150

    class Dice(torch.utils.data.Dataset[float]):
        def __getitem__(self, _: int) -> float:
            return torch.rand(()).item()

    before = torch.get_rng_state()
    images = SeededImages(Dice())
    assert images[0, 7] == images[1, 7] != images[0, 8]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("images", [4, 5, 17, 64, 65, 129, 500])
def test_every_image_is_scored_once_in_as_many_batches_on_every_device(world: int, images: int) -> None:
    shares = [list(Share(images, 64, rank, world)) for rank in range(world)]
    assert [image for share in shares for batch in share for image in batch] == list(range(images))
    assert len({len(share) for share in shares}) == 1
    assert all(1 <= len(batch) <= 64 for share in shares for batch in share)


def test_more_devices_than_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="take fewer devices"):
        Share(3, 64, 0, 4)
    with pytest.raises(ConfigError, match="a step takes 64 images"):
        EpochBatches(sampler(), 8, 0, 4, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the same recipe: two processes, the second struck by SIGTERM, resumed; and one alone.

    Dropout and augmentation are on: a batch has the same ones wherever it is worked on.
    """
    folder = tmp_path_factory.mktemp("distributed")
    write_tiles(folder)
    network = {"variant": "transxv2s_net_efficientnetv2_s", "dropout": 0.3}
    common: dict[str, Any] = {"network": network, "averaging": {"decay": 0.9}, "checkpoint_minutes": 60}
    common["augmentation"] = {"dihedral": True, "min_area": 0.5, "mixup": 0.4}
    two = write_recipe(folder, **common, hardware={"accelerator": "cpu", "devices": 2})
    stopped = launch(two, folder / "two", BLOW="SIGTERM:5", BLOW_RANK="1", OMP_NUM_THREADS="1")
    assert stopped.returncode == 75, stopped.stderr
    assert stopped.stderr.count("transxv2s: stopped by SIGTERM in step 6; the same command") == 1
    resumed = launch(two, folder / "two", "--resume", OMP_NUM_THREADS="1")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == f"{folder / 'two' / 'checkpoint'}\n"
    assert resumed.stderr.count("epoch 3, 100%") == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "create", small)
        patch.setattr(curves, "draw", lambda *_: None)
        patch.setattr(LesionTask, "training_step", noting_losses(folder / "losses.txt"))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as in the two processes
        one = write_recipe(folder, **common, hardware={"accelerator": "cpu", "accumulate": 2})
        run.train(load_recipe(one), folder / "one")
        torch.set_num_threads(threads)
    return folder


def noting_losses(path: Path) -> Callable[[LesionTask, Any, int], torch.Tensor]:
    """A training step that writes down its loss."""
    step = LesionTask.training_step

    def noting(task: LesionTask, batch: Any, index: int) -> torch.Tensor:
        loss = step(task, batch, index)
        with path.open("a") as stream:
            stream.write(f"{loss.item()}\n")
        return loss

    return noting


def last(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(folder / name / LAST, weights_only=True)
    return content


def trained(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """Parameters, without the running statistics of batch normalisation, which see another half."""
    names = [key for key, _ in SmallNetwork(8, 0).named_parameters()]
    return {key: last(folder, name)["state_dict"][f"network.{key}"] for key in names}


def test_two_processes_learn_what_one_learns_that_accumulates_their_batches(folder: Path) -> None:
    one, two = trained(folder, "one"), trained(folder, "two")
    assert last(folder, "two")["global_step"] == last(folder, "one")["global_step"] == 3 * (33 // 8)
    for name, parameter in one.items():
        torch.testing.assert_close(two[name], parameter, rtol=0, atol=1e-5)


def test_the_logged_loss_is_the_mean_over_the_devices(folder: Path) -> None:
    """Every tenth step is logged: against the losses of the single process, two to a step."""
    losses = [float(loss) for loss in (folder / "losses.txt").read_text().split()]
    logged = points(history(folder / "two" / curves.METRICS), lambda row: row.get(TRAIN_LOSS))
    assert logged[0] == [9]
    assert logged[1][0] == pytest.approx((losses[18] + losses[19]) / 2, abs=1e-5)


def test_scores_are_of_all_validation_images_each_once(folder: Path) -> None:
    """Seven images on two devices, against scikit-learn on the saved weights."""
    network = SmallNetwork(8, 0)
    state = last(folder, "two")["state_dict"]
    prefix = "average.module."
    network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    data = LesionData(load_recipe(folder / "two" / run.RECIPE_FILE))
    images, labels = next(iter(data.val_dataloader()))
    assert len(labels) == 7
    with torch.no_grad():
        logits = network.eval()(images.float() / 255 * 2 - 1)
    rows = history(folder / "two" / curves.METRICS)
    assert points(rows, lambda row: row.get(VALIDATION_LOSS))[1][-1] == pytest.approx(
        F.cross_entropy(logits, labels).item(), abs=1e-5
    )
    expected = balanced_accuracy_score(labels.numpy(), logits.argmax(1).numpy())
    assert points(rows, lambda row: row.get(SCORE))[1][-1] == pytest.approx(expected, abs=1e-5)


def test_the_final_predictions_are_of_all_images_in_order(folder: Path) -> None:
    """The score of the best epoch, from predictions put together, is the one that validation measured."""
    best = max(points(history(folder / "two" / curves.METRICS), lambda row: row.get(SCORE))[1])
    config, _ = read_config(folder / "two" / "checkpoint")
    metrics: Any = config.metrics["validation"]
    assert metrics["balanced_accuracy"]["value"] == pytest.approx(best, abs=1e-5)
    assert config.training["images"] == {"train": 33, "validation": 7, "test": 8}


def test_only_the_first_process_writes(folder: Path) -> None:
    files = {path.name for path in (folder / "two").iterdir()}
    assert files - {curves.PICTURE} == {path.name for path in (folder / "one").iterdir()}
    versions = sorted(path.name for path in (folder / "two" / curves.METRICS).iterdir())
    assert versions == ["version_0", "version_1"]  # one of each start
