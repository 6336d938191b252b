"""The whole evaluation on networks whose truth is known, and on a small real one."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from explain.networks import SMALL, shared
from explain.networks import images as lesion_images
from transxv2s.checkpoint import Checkpoint, CheckpointConfig
from transxv2s.datasets.portion import Portion
from transxv2s.datasets.records import Reading, Record
from transxv2s.errors import CheckpointError, DataError
from transxv2s.explain.faithfulness import (
    Case,
    Subject,
    choose,
    evaluate,
    run,
    run_evaluation,
    subject_of,
    table,
)
from transxv2s.explain.faithfulness.measures import MEASURES, Way, measured
from transxv2s.explain.faithfulness.perturbation import Map, blurred
from transxv2s.explain.faithfulness.randomisation import cascade
from transxv2s.explain.faithfulness.summary import mean_intervals, verdict
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.scoring.bootstrap import Interval
from transxv2s.trust.adjustment import LogitAdjustment
from trusting import plain_trust

SIDE = 24
LOOKED_AT = (slice(3, 11), slice(12, 20))


def one_region() -> nn.Sequential:
    """A linear network: class 1 is as sure as one region, off the middle, is bright."""
    linear = nn.Linear(3 * SIDE * SIDE, 2)
    weights = torch.zeros(3, SIDE, SIDE)
    weights[:, *LOOKED_AT] = 4 / (3 * 64)
    with torch.no_grad():
        linear.weight.copy_(torch.stack([torch.zeros(3 * SIDE * SIDE), weights.flatten()]))
        linear.bias.zero_()
    return nn.Sequential(nn.Flatten(), linear)


def contribution(network: nn.Module) -> Way:
    """Gradient times image, which on a linear network is the whole truth."""

    def way(image: Tensor, class_index: int) -> Map:
        x = image.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(network(x[None])[0, class_index], x)
        return np.asarray((gradient * image).sum(0).clamp(min=0), np.float32)

    return way


def brightness(image: Tensor, class_index: int) -> Map:
    """Finds the region as well, but would whatever the network were."""
    smooth = cv2.GaussianBlur(image.mean(0).numpy(), (5, 5), 0)
    return np.asarray(smooth - smooth.min(), np.float32)


def elsewhere(image: Tensor, class_index: int) -> Map:
    values = np.ones((SIDE, SIDE), np.float32)
    values[LOOKED_AT] = 0
    return values


def toy() -> Subject:
    network = one_region()
    random = {
        stage: {"truth": contribution(n), "brightness": brightness, "elsewhere": elsewhere}
        for stage, n in cascade(network, {"all": [""]}).items()
    }
    ways = {"truth": contribution(network), "brightness": brightness, "elsewhere": elsewhere}
    return Subject("0123456789ab", ("A", "B"), network, ways, random)


def cases(count: int = 8) -> list[Case]:
    """Images with a bright region under their masks; two images to a lesion."""
    random, found = torch.Generator().manual_seed(0), []
    mask = np.zeros((SIDE, SIDE), bool)
    mask[LOOKED_AT] = True
    for i in range(count):
        image = 0.1 * torch.randn(3, SIDE, SIDE, generator=random) - 0.5
        image[:, *LOOKED_AT] += 1.2
        found.append(Case(f"image{i}", "file", "AB"[i % 2], f"lesion{i // 2}", image, mask))
    return found


@pytest.mark.usefixtures("no_figure")
def test_the_true_method_passes_and_others_fail_for_the_right_reason(tmp_path: Path) -> None:
    results = evaluate(toy(), cases(), tmp_path, randomised=4)
    verdicts = results["verdicts"]
    assert verdicts["truth"] == {"passes": True, "failures": []}
    (failure,) = verdicts["brightness"]["failures"]
    assert "random network" in failure
    assert len(verdicts["elsewhere"]["failures"]) > 5
    assert results["best"] == "truth"
    means = results["means"]
    assert means["truth"]["mass"]["value"] == pytest.approx(1)
    assert means["truth"]["pointing"]["value"] == 1
    assert means["elsewhere"]["mass"]["value"] == 0
    assert means["brightness"]["rank_after_all"]["value"] == pytest.approx(1)
    assert means["centre"]["rank_after_all"]["value"] is None
    assert means["elsewhere"]["agrees_truth"]["value"] < 0 < means["brightness"]["agrees_truth"]["value"]


def test_files(tmp_path: Path) -> None:
    results = evaluate(toy(), cases(4), tmp_path, randomised=2, notes={"overlap": "none"})
    assert json.loads((tmp_path / "faithfulness.json").read_text()) == results
    assert results["overlap"] == "none"
    assert (results["images"], results["lesions"], results["classes"]) == (4, 2, {"A": 2, "B": 2})
    lines = (tmp_path / "faithfulness.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 5  # three methods and two controls
    picture = cv2.imread(str(tmp_path / "faithfulness.png"))
    assert picture is not None
    assert picture.std() > 10
    text = printed(results, tmp_path)
    assert all(name in text for name in ("truth", "elsewhere", "centre", "4 images of 2 lesions"))


def printed(results: dict[str, Any], folder: Path) -> str:
    with (folder / "table.txt").open("w") as stream:
        console = Console(width=300, record=True, file=stream)
        console.print(table(results))  # type: ignore[arg-type]
        return console.export_text()


@pytest.fixture
def no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all else of so small an evaluation."""
    monkeypatch.setattr(run, "draw", lambda *_: None)
    monkeypatch.setattr(run, "png", lambda _: b"")


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network, self.images = one_region(), 0

    def forward(self, x: Tensor) -> Tensor:
        self.images += len(x)
        logits: Tensor = self.network(x)
        return logits


def counting(network: nn.Module | None = None) -> Subject:
    return Subject("0123456789ab", ("A", "B"), network or Counting(), {"elsewhere": elsewhere}, {})


def counted(given: Sequence[Case], out: Path) -> tuple[dict[str, Any], int]:
    """The results, and how many images the network saw for them."""
    network = Counting()
    return evaluate(counting(network), given, out), network.images


@pytest.mark.usefixtures("no_figure")
def test_a_stopped_evaluation_goes_on(tmp_path: Path) -> None:
    whole, all_images = counted(cases(4), tmp_path / "whole")
    counted(cases(2), tmp_path / "part")
    path = tmp_path / "part" / "faithfulness.csv"
    path.write_text(path.read_text()[:-9])  # cut off while the last row of the second image was written
    resumed, images = counted(cases(4), tmp_path / "part")
    assert images == all_images * 3 // 4
    assert counted(cases(4), tmp_path / "part")[1] == 0
    for results in (whole, resumed):
        for means in results["means"].values():
            means.pop("seconds")
    assert resumed["means"] == whole["means"]


@pytest.mark.usefixtures("no_figure")
def test_a_smaller_selection_keeps_what_is_known_of_the_larger(tmp_path: Path) -> None:
    whole, _ = counted(cases(6), tmp_path)
    smaller, images = counted(cases(2), tmp_path)
    assert (smaller["images"], images) == (2, 0)
    again, images = counted(cases(6), tmp_path)
    assert images == 0
    assert again == whole


@pytest.mark.usefixtures("no_figure")
def test_an_image_that_was_replaced_is_judged_again(tmp_path: Path) -> None:
    _, all_images = counted(cases(4), tmp_path)
    given = cases(4)
    given[1] = Case(
        "image1", "another file", *[getattr(given[1], n) for n in ("label", "lesion", "image", "mask")]
    )
    assert counted(given, tmp_path)[1] == all_images // 4


@pytest.mark.usefixtures("no_figure")
def test_rows_of_other_settings_are_refused(tmp_path: Path) -> None:
    counted(cases(2), tmp_path)
    with pytest.raises(DataError, match="other settings: remove"):
        evaluate(replace(counting(), digest="ba9876543210"), cases(2), tmp_path)
    with pytest.raises(DataError, match="other settings: remove"):
        evaluate(counting(), cases(2), tmp_path, settings={"scored_by": "another"})
    with pytest.raises(DataError, match="no column"):
        evaluate(toy(), cases(2), tmp_path)


@pytest.mark.usefixtures("no_figure")
def test_rows_of_another_question_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as those of an earlier version, which asked for the most probable class."""
    monkeypatch.setattr(run, "ASKED", "the most probable class")
    counted(cases(2), tmp_path)
    monkeypatch.undo()
    with pytest.raises(DataError, match="other settings: remove"):
        evaluate(counting(), cases(2), tmp_path)


def test_the_class_that_is_named_is_asked_for() -> None:
    """Class 0 is more probable by a little, and a hundred times as common as class 1, which is named."""
    shares = (0.9, 0.009, *(0.091 / 6,) * 6)
    trust = plain_trust().model_copy(update={"adjustment": LogitAdjustment(tau=1.0, shares=shares)})
    logits = torch.tensor([[1.0, 0.9, *[-9.0] * 6]])
    asked: list[int] = []

    def way(image: Tensor, class_index: int) -> Map:
        asked.append(class_index)
        return elsewhere(image, class_index)

    def network(images: Tensor) -> Tensor:
        return logits.expand(len(images), -1)

    subject = Subject("0123456789ab", tuple("ABCDEFGH"), network, {"way": way}, {"all": {"way": way}})
    for given, number in ((subject, 0), (replace(subject, trust=trust), 1)):
        asked.clear()
        rows = measured(given, cases(1)[0], randomise=True)
        assert asked == [number, number]
        assert {row["asked"] for row in rows} == {"AB"[number]}
        assert rows[0]["probability"] == pytest.approx(float(logits[0].softmax(0)[number]))


@pytest.mark.parametrize(("second", "signed", "share"), [("turned", 0.0, 0.0), ("flat", 1.0, 0.5)])
@pytest.mark.usefixtures("no_figure")
def test_neither_a_turned_sign_nor_a_flat_map_is_evidence_against_likeness(
    tmp_path: Path, second: str, signed: float, share: float
) -> None:
    """Every other map of the random network is the same, every other one turned or flat.

    Where it is turned, correlations with their sign come to 0, as if the maps had nothing in common.
    """
    truth, signs = toy().ways["truth"], cycle([1, {"turned": -1, "flat": 0}[second]])

    def random_map(image: Tensor, class_index: int) -> Map:
        return np.float32(next(signs)) * truth(image, class_index)

    subject = replace(toy(), ways={"truth": truth}, randomised={"all": {"truth": random_map}})
    results = evaluate(subject, cases(), tmp_path, randomised=8)
    means = results["means"]["truth"]
    assert means["absolute_rank_after_all"]["value"] == pytest.approx(1)
    assert means["flat_after_all"]["value"] == share
    assert means["rank_after_all"]["value"] == pytest.approx(signed)
    (failure,) = results["verdicts"]["truth"]["failures"]
    assert failure.startswith("keeps its map on a random network (|rank correlation| 1.000")
    assert ("50% flat" in printed(results, tmp_path)) == (share > 0)


@pytest.mark.usefixtures("no_figure")
def test_flat_maps_alone_say_nothing_of_a_random_network(tmp_path: Path) -> None:
    ways = {"truth": toy().ways["truth"]}
    random: dict[str, dict[str, Way]] = {"all": {"truth": lambda image, _: 0 * brightness(image, 0)}}
    results = evaluate(replace(toy(), ways=ways, randomised=random), cases(), tmp_path)
    assert results["means"]["truth"]["flat_after_all"]["value"] == 1
    assert results["means"]["truth"]["flat"]["value"] == 0
    (failure,) = results["verdicts"]["truth"]["failures"]
    assert "all its maps there are flat" in failure


def interval(low: float, high: float) -> Interval:
    return {"value": (low + high) / 2, "low": low, "high": high}


def test_the_rules() -> None:
    good = {name: interval(0.1, 0.2) for name in MEASURES}
    assert verdict({"random": good, "centre": good}, interval(-0.2, 0.4))["passes"]
    touching = good | {"road": interval(-0.01, 0.2)}
    assert not verdict({"random": good, "centre": touching}, interval(-0.2, 0.4))["passes"]
    undecided = good | {"mass": interval(-0.4, -0.2)}
    assert verdict({"random": undecided, "centre": undecided}, interval(-0.2, 0.4))["passes"]
    assert not verdict({"random": good, "centre": good}, interval(0.3, 0.6))["passes"]
    assert not verdict({"random": good, "centre": good}, None)["passes"]


def test_intervals_resample_lesions() -> None:
    """Copies of an image tell nothing new: the interval stays as wide as it was."""
    values = np.random.default_rng(0).normal(size=(30, 1))
    lesions = [f"lesion{i}" for i in range(30)]
    (single,) = mean_intervals(values, lesions)
    (copied,) = mean_intervals(np.repeat(values, 4, 0), list(np.repeat(lesions, 4)))
    assert copied["value"] == pytest.approx(values.mean())
    widths = [found["high"] - found["low"] for found in (single, copied)]  # type: ignore[operator]
    assert widths[0] == pytest.approx(2 * 1.96 * values.std() / 30**0.5, rel=0.1)
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_what_was_not_measured_does_not_count() -> None:
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    first, second = mean_intervals(values, ["a", "b", "c"])
    assert first["value"] == 2
    assert second == {"value": None, "low": None, "high": None}


def records(per_class: dict[int, int]) -> list[Record]:
    """Two images to a lesion."""
    return [
        Record(f"{label}-{i}", Path(f"{label}-{i}.jpg"), label, f"lesion {label}-{i // 2}", "here")
        for label, count in per_class.items()
        for i in range(count)
    ]


def test_images_are_chosen_evenly_one_of_a_lesion() -> None:
    given = records({0: 100, 1: 40, 2: 6})
    masks = {record.id: Path("mask.png") for record in given if record.id not in {"2-4", "2-5"}}
    found = choose(given, masks, 24)
    assert Counter(record.label for record in found) == {0: 11, 1: 11, 2: 2}
    assert len({record.lesion for record in found}) == 24
    assert all(record.id in masks for record in found)
    assert choose(given, masks, 12) == found[:12]
    assert choose(given, masks, 24, seed=1) != found


def test_too_few_images() -> None:
    given = records({0: 6})
    with pytest.raises(DataError, match="there are 3 lesions with a mask among 6 images, not 4"):
        choose(given, {record.id: Path("mask.png") for record in given}, 4)
    with pytest.raises(DataError, match="0 lesions"):
        choose(given, {}, 1)


def lesion_files(folder: Path) -> tuple[list[Record], dict[str, Path]]:
    """Two pictures of dark spots, and their masks."""
    made, masks = [], {}
    for i in range(2):
        rgb = np.random.default_rng(i).integers(150, 200, (90, 120, 3)).astype(np.uint8)
        mask = np.zeros((90, 120), np.uint8)
        cv2.circle(mask, (50 + 20 * i, 45), 20, 255, cv2.FILLED)
        rgb[mask > 0] //= 2
        for name, picture in ((f"{i}.png", rgb), (f"{i}_mask.png", mask)):
            cv2.imwrite(str(folder / name), picture)
        made.append(Record(str(i), folder / f"{i}.png", i, f"lesion{i}", "here"))
        masks[str(i)] = folder / f"{i}_mask.png"
    return made, masks


@pytest.mark.usefixtures("no_figure")
def test_a_checkpoint_from_files_to_results(tmp_path: Path) -> None:
    made, masks = lesion_files(tmp_path)
    config = CheckpointConfig(variant=SMALL, preprocessing=Preprocessing(size=64))
    checkpoint = Checkpoint(config, lambda: shared(SMALL), "0123456789ab")
    chosen = Portion("spots", Reading(tuple(made)))
    results = run_evaluation(
        checkpoint, chosen, masks, tmp_path, methods=["eigencam"], images=1, randomised=1
    )
    assert results["images"] == 1
    assert results["classes"] == {"MEL": 1}
    assert set(results["means"]) == {"eigencam", "random", "centre"}
    assert results["left_out_as_seen_in_training"]["any"] is None
    eigencam = results["means"]["eigencam"]
    assert eigencam["rank_after_classifier"]["value"] == pytest.approx(1), "it asks the classifier nothing"
    assert eigencam["rank_after_all"]["value"] < 0.99
    assert 0 < eigencam["mass"]["value"] < 1
    area = np.pi * 20**2 / (90 * 120)
    assert eigencam["lesion_area"]["value"] == pytest.approx(area, rel=0.05)


@pytest.mark.usefixtures("with_bfloat16")
@pytest.mark.parametrize(("bfloat16", "tolerance"), [(False, 1e-4), (True, 0.02)])
def test_changed_images_are_scored_as_the_network_does(bfloat16: bool, tolerance: float) -> None:
    """A blurred image among them, whose values lie between whole grey levels."""
    config = CheckpointConfig(variant=SMALL, preprocessing=Preprocessing(size=64))
    subject = subject_of(
        Checkpoint(config, lambda: shared(SMALL), "0123456789ab"), ["eigencam"], bfloat16=bfloat16
    )
    x = lesion_images(2)
    x = torch.cat([x, blurred(x[0])[None]])
    with torch.no_grad():
        expected = shared(SMALL)(x).softmax(1)
    torch.testing.assert_close(subject.logits(x).softmax(1), expected, atol=tolerance, rtol=0)


def test_other_networks_are_refused() -> None:
    config = CheckpointConfig(variant=SMALL, preprocessing=Preprocessing(size=64))
    with pytest.raises(CheckpointError, match="name a TransXV2S-Net"):
        subject_of(Checkpoint(config, one_region, "0123456789ab"))
