"""What goes wrong in a long run: it ends with a sentence, the right exit code, and nothing lost."""

import errno
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from transxv2s.cli.app import main
from transxv2s.errors import CheckpointError, DataError, DivergenceError
from transxv2s.files import replacing
from transxv2s.training import checkpoint_io, run, start
from transxv2s.training.recipe import Optimizer
from transxv2s.training.trainer import LAST

from .program import small, write_recipe, write_tiles
from .runs import KilledError, outcome, stop_before, train
from .tiny import STEPS_PER_EPOCH, TinyNetwork, recipe

Outcome = Callable[[Path, Path], tuple[object, str, str]]


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Trains by the command with a small network; gives exit code, standard output and error."""
    monkeypatch.setattr(start, "create", small)

    def command(recipe: Path, out: Path) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["train", "--config", str(recipe), "--out", str(out)])
        return (caught.value.code, *capsys.readouterr())

    return command


def state(run_dir: Path, name: str = LAST) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run_dir / name, weights_only=True)
    return content


class Diverging(TinyNetwork):
    """Its output becomes NaN in a batch of a kind."""

    def __init__(self, log: Path, kind: str, batch: int) -> None:
        super().__init__(log, self.note)
        self.kind, self.batch, self.bad = kind, batch, False

    def note(self, kind: str, count: int) -> None:
        self.bad = (kind, count) == (self.kind, self.batch)

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits * torch.nan if self.bad else logits


@pytest.mark.parametrize(
    ("kind", "batch", "what", "step", "saved"),
    [
        ("train", 7, "the training loss", 8, 7),
        ("train", 0, "the training loss", 1, None),
        ("evaluate", 1, "validation loss", 11, 9),  # the last step of an epoch is saved after the next one
    ],
)
def test_a_run_that_diverges_tells_the_step_and_keeps_the_last_good_state(  # noqa: PLR0917
    kind: str, batch: int, what: str, step: int, saved: int | None, data: Path, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "create", lambda *_, **__: Diverging(tmp_path / "log", kind, batch))
        with pytest.raises(DivergenceError) as caught:
            run.train(recipe(data), tmp_path / "run")
    message = str(caught.value)
    assert message.startswith(f"{what} is not a finite number any more in step {step} (epoch ")
    assert "optimizer.learning_rate" in message
    if saved is None:
        assert "no state was saved before" in message
        assert not (tmp_path / "run" / LAST).exists()
        return
    assert str(tmp_path / "run" / LAST) in message
    last = state(tmp_path / "run")
    assert last["global_step"] == saved
    assert all(bool(v.isfinite().all()) for v in last["state_dict"].values())


def test_weights_that_diverge_are_not_saved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is still finite when the step makes the weights infinite."""
    wanted = recipe(data, optimizer=Optimizer(learning_rate=3e38, name="adamw", weight_decay=10))
    with pytest.raises(DivergenceError, match="a weight or its average is not a finite number"):
        train(monkeypatch, wanted, tmp_path / "run")
    assert not (tmp_path / "run" / LAST).exists()


def fail_in_save(number: int, error: int) -> Callable[..., Any]:
    """Stands for a disk that is full from the save of that number on."""
    saves = iter(range(number))

    def opened(path: Path) -> Any:
        if next(saves, None) is None:
            raise OSError(error, os.strerror(error))
        return replacing(path)

    return opened


def test_a_full_disk_loses_nothing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(monkeypatch, recipe(data), tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_io, "replacing", fail_in_save(7, errno.ENOSPC))
        with pytest.raises(DataError, match=r"cannot be written \(No space left on device\).*--resume"):
            train(monkeypatch, recipe(data), tmp_path / "run")
    steps = state(tmp_path / "run")["global_step"]
    assert steps == STEPS_PER_EPOCH + 2  # four steps of the first epoch, the best, two of the second
    log = tmp_path / "run.log"
    log.write_text("".join(log.open().readlines()[:steps]))
    train(monkeypatch, recipe(data), tmp_path / "run", resume=True)
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_a_checkpoint_that_the_system_cuts_short_leaves_the_one_before(tmp_path: Path) -> None:
    """The system's own limit on the size of a file: the write itself fails, in the midst of it."""
    path, files = tmp_path / "last.ckpt", checkpoint_io.WholeFiles()
    files.save_checkpoint({"state_dict": {"weight": torch.zeros(10)}}, path)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            files.save_checkpoint({"state_dict": {"weight": torch.zeros(100_000)}}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_resume_point_is_named(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KilledError):
        train(monkeypatch, recipe(data), tmp_path / "run", stop=stop_before("train", 3))
    last = tmp_path / "run" / LAST
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged"):
        train(monkeypatch, recipe(data), tmp_path / "run", resume=True)


def test_a_resume_point_of_a_network_with_other_classes_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KilledError):
        train(monkeypatch, recipe(data), tmp_path / "run", stop=stop_before("train", 3))
    last = state(tmp_path / "run")
    last["state_dict"]["network.linear.weight"] = torch.zeros(7, 3)
    torch.save(last, tmp_path / "run" / LAST)
    with pytest.raises(CheckpointError, match="with other classes or layers"):
        train(monkeypatch, recipe(data), tmp_path / "run", resume=True)


@pytest.mark.parametrize("blow", ["SIGTERM:5", "SIGINT:5"])
def test_a_signal_saves_and_says_how_to_go_on(
    blow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_network: Outcome
) -> None:
    write_tiles(tmp_path)
    monkeypatch.setenv("BLOW", blow)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    code, out, err = small_network(write_recipe(tmp_path, checkpoint_minutes=60), tmp_path / "run")
    assert (code, out) == (75, "")
    name = blow.split(":", maxsplit=1)[0]
    sentence = (
        f"transxv2s: stopped by {name} in step 6; "
        "the same command (train: with --resume) goes on from what is saved."
    )
    assert err.strip().splitlines() == [sentence]
    assert state(tmp_path / "run")["global_step"] == 6
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def spoil_split(folder: Path) -> None:
    (folder / "split.csv").write_bytes(b"\xff\xfe\x00image,lesion\x9d")


def spoil_classes(folder: Path) -> None:
    table = next((folder / "isic2019").glob("*GroundTruth.csv"))
    table.write_text("\n".join(line.rsplit(",", 2)[0] for line in table.read_text().splitlines()))


def spoil_image(folder: Path) -> None:
    next(folder.rglob("ISIC_20.png")).write_bytes(b"no image")


def remove_images(folder: Path) -> None:
    for image in folder.rglob("ISIC_*.png"):
        image.unlink()


def ask_for_too_much(folder: Path) -> None:
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("batch_size: 4", "batch_size: 40"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_split, "split.csv"),
        (spoil_classes, "GroundTruth.csv"),
        (spoil_image, "ISIC_20"),
        (remove_images, "none of the 48 labelled images"),
        (ask_for_too_much, "a step takes 40 images"),
    ],
)
def test_wrong_data_end_in_one_sentence(
    spoil: Callable[[Path], None], words: str, tmp_path: Path, small_network: Outcome
) -> None:
    write_tiles(tmp_path)
    path = write_recipe(tmp_path)
    spoil(tmp_path)
    code, out, err = small_network(path, tmp_path / "run")
    assert (code, out) == (2, "")
    *_, sentence = err.strip().splitlines()
    assert sentence.startswith("transxv2s: ")
    assert words in sentence


def test_a_start_that_fails_does_not_claim_the_folder(tmp_path: Path, small_network: Outcome) -> None:
    write_tiles(tmp_path)
    path = write_recipe(tmp_path, epochs=1)
    mistyped = tmp_path / "mistyped.yaml"
    mistyped.write_text(path.read_text().replace("/isic2019", "/isic2091"))
    assert small_network(mistyped, tmp_path / "run")[0] == 2
    greedy = tmp_path / "greedy.yaml"
    greedy.write_text(path.read_text().replace("batch_size: ", "batch_size: 1000"))
    code, _, err = small_network(greedy, tmp_path / "run")
    assert (code, "make it smaller" in err) == (2, True)
    code, _, err = small_network(path, tmp_path / "run")
    assert code == 0, err
