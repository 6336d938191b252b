"""What a network starts from: which weights it takes over, what is told of it, and what it has seen."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from datasets.layout import write_lines, write_picture
from transxv2s import nets
from transxv2s.checkpoint import CheckpointConfig, described, write_checkpoint
from transxv2s.datasets import splits
from transxv2s.datasets.copies import fingerprints_of
from transxv2s.datasets.provenance import SeenImages
from transxv2s.datasets.records import Record
from transxv2s.errors import ConfigError, DataError
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.taxonomy import ISIC2019, DiagnosticClass, Taxonomy
from transxv2s.training import publish, start
from transxv2s.training.data import LesionData
from transxv2s.training.recipe import Data, Network, Recipe
from transxv2s.training.selection import select

VARIANT = "transxv2s_net_efficientnetv2_s"
PREPARED = Preprocessing(hair_removal=None, field_of_view=False, colour=None, size=64)
WART = DiagnosticClass("WART", "wart", "unknown")
NEVI_AND_WARTS = Taxonomy("own", (ISIC2019["NV"], ISIC2019["MEL"], WART))
AND_CYSTS = Taxonomy("own", (*NEVI_AND_WARTS.classes, DiagnosticClass("CYST", "cyst", "benign")))
IMAGES = [f"p{place}" for place in range(12)]
SUBSETS = ("train",) * 6 + ("validation",) * 3 + ("test",) * 3


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images of noise, no two alike, in a table."""
    folder, generator = tmp_path_factory.mktemp("clinic"), np.random.default_rng(0)
    for name in IMAGES:
        noise = generator.integers(0, 256, (8, 8, 3), np.uint8)
        write_picture(folder / f"{name}.png", noise.repeat(8, 0).repeat(8, 1))
    labels = ("MEL", "NV", "wart") * 4
    write_lines(folder / "t.csv", "image,label", *map(",".join, zip(IMAGES, labels, strict=True)))
    rows = (f"{name},,0,{subset}" for name, subset in zip(IMAGES, SUBSETS, strict=True))
    write_lines(folder / "split" / "s.csv", "image,lesion,fold,split", *rows)
    return folder


def write_parent(folder: Path, seen: SeenImages | None = None, **changes: Any) -> None:
    """A checkpoint whose weights nobody reads."""
    values: dict[str, Any] = {"variant": VARIANT, "preprocessing": PREPARED, "training": {"epochs": 3}}
    config = CheckpointConfig(**(values | changes))
    write_checkpoint(folder, nn.Linear(1, 1), config, seen_images=None if seen is None else seen.to_bytes())


def seen(folder: Path, names: Sequence[str], ids: Sequence[str] | None = None) -> SeenImages:
    """Images of the clinic, under ids of their own if need be, as a checkpoint remembers them."""
    records = [Record(name, folder / f"{name}.png", 0, None, "") for name in names]
    return SeenImages(tuple(ids or names), ("",) * len(names), fingerprints_of(records).compact())


def recipe(clinic: Path, store: Path, checkpoint: Path | None, **changes: Any) -> Recipe:
    data = {"dataset": "table", "root": clinic, "split": clinic / "split" / "s.csv", "store": store}
    values = {
        "data": Data.model_validate({**data, "table": {"taxonomy": "own"}, **changes.pop("data", {})}),
        "network": Network(variant=VARIANT, checkpoint=checkpoint),
        "preprocessing": PREPARED,
        "workers": 0,
    }
    return Recipe.model_validate(values | changes)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(1)
    return nets.create(VARIANT, num_classes=8)


@pytest.mark.parametrize("taxonomy", [ISIC2019, NEVI_AND_WARTS], ids=lambda t: t.name)
def test_all_weights_are_taken_over_but_those_of_unknown_classes(
    taxonomy: Taxonomy, network: nn.Module, tmp_path: Path
) -> None:
    write_checkpoint(tmp_path, network, CheckpointConfig(variant=VARIANT, preprocessing=PREPARED))
    old, options = network.state_dict(), Network(variant=VARIANT, checkpoint=tmp_path)
    parent = start.parent_of(recipe(tmp_path, tmp_path, tmp_path))
    torch.manual_seed(2)
    new = start.network(options, taxonomy, parent).state_dict()
    torch.manual_seed(2)
    fresh = start.network(Network(variant=VARIANT), taxonomy, None).state_dict()
    assert all(torch.equal(new[name], old[name]) for name in old if not name.startswith("classifier."))
    for place, code in enumerate(taxonomy.codes):
        known = code in ISIC2019.codes
        source, row = (old, ISIC2019.index(code)) if known else (fresh, place)
        for name in ("classifier.weight", "classifier.bias"):
            assert torch.equal(new[name][place], source[name][row]), code


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"preprocessing": PREPARED.model_copy(update={"size": 96})},
            r"preprocessing\.size is 96, but 64 in",
        ),
        ({"network": {"variant": "transxv2s_net"}}, f"set it to {VARIANT}"),
        ({"network": {"variant": VARIANT, "pretrained": True}}, r"remove network\.pretrained"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    changes: Any, said: str, clinic: Path, tmp_path: Path
) -> None:
    write_parent(tmp_path / "parent")
    wanted = recipe(clinic, tmp_path, tmp_path / "parent")
    if "network" in changes:
        changes = {"network": Network(checkpoint=tmp_path / "parent", **changes["network"])}
    with pytest.raises(ConfigError, match=said):
        start.parent_of(wanted.model_copy(update=changes))


def test_other_preprocessing_is_told(clinic: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_parent(tmp_path / "parent", preprocessing=PREPARED.model_copy(update={"crop_fraction": 0.9}))
    chosen = select(recipe(clinic, tmp_path, tmp_path / "parent"))
    assert chosen.origin is not None
    assert chosen.origin.preprocessing_changed == ["crop_fraction"]
    assert "prepared otherwise: preprocessing.crop_fraction" in caplog.text


def test_held_out_images_that_the_checkpoint_has_seen_are_left_out_and_counted(
    clinic: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One by its id, one as a copy under another id; a training image may have been seen."""
    write_parent(tmp_path / "parent", seen(clinic, ["p0", "p7", "p10"], ["p0", "p7", "elsewhere"]))
    chosen = select(recipe(clinic, tmp_path, tmp_path / "parent"))
    ids = {subset: [record.id for record in records] for subset, records in chosen.records.items()}
    assert ids == {"train": IMAGES[:6], "validation": ["p6", "p8"], "test": ["p9", "p11"]}
    assert not chosen.leaks
    assert chosen.origin is not None
    assert chosen.origin.left_out == 2
    assert "2 held-out images are left out" in caplog.text


@pytest.mark.parametrize("before", ["none", "the same", "another"])
def test_a_checkpoint_of_the_same_split_keeps_its_validation_part(
    before: str, clinic: Path, tmp_path: Path
) -> None:
    """Unless what it started from itself was trained on another split."""
    own = splits.load(clinic / "split" / "s.csv").digest
    first = {"none": {}, "the same": {"split_digest": own}, "another": {"split_digest": "0123456789ab"}}
    came_from = {"from": {"training": first[before]}} if first[before] else {}
    write_parent(tmp_path / "parent", seen(clinic, IMAGES[:9]), training={"split_digest": own, **came_from})
    wanted = recipe(clinic, tmp_path, tmp_path / "parent")
    if before == "another":
        with pytest.raises(DataError, match="has seen all 3 validation images"):
            select(wanted)
        return
    chosen = select(wanted)
    assert [len(chosen.records[subset]) for subset in splits.SUBSETS] == [6, 3, 3]
    assert not chosen.leaks
    assert chosen.origin is not None
    assert chosen.origin.same_split
    assert chosen.origin.held_out_images_seen.startswith("none of the 3 images")


def test_a_declared_leak_keeps_them(clinic: Path, tmp_path: Path) -> None:
    write_parent(tmp_path / "parent", seen(clinic, ["p7"]))
    chosen = select(recipe(clinic, tmp_path, tmp_path / "parent", data={"leaky": True}))
    assert (chosen.leaks, len(chosen.records["validation"])) == (True, 3)


def test_when_none_is_left_that_is_an_error(clinic: Path, tmp_path: Path) -> None:
    write_parent(tmp_path / "parent", seen(clinic, ["p9", "p10", "p11"]))
    with pytest.raises(DataError, match="has seen all 3 test images: name a split"):
        select(recipe(clinic, tmp_path, tmp_path / "parent"))


def test_what_is_told_of_the_checkpoint(clinic: Path, tmp_path: Path) -> None:
    write_parent(tmp_path / "parent", seen(clinic, []), **described(AND_CYSTS))
    origin = select(recipe(clinic, tmp_path, tmp_path / "parent")).origin
    assert origin is not None
    assert (origin.classes_kept, origin.classes_new) == (["MEL", "NV", "WART"], [])
    assert origin.classes_dropped == ["CYST"]
    assert origin.training == {"epochs": 3}
    assert origin.held_out_images_seen.startswith("none of the 6 images")


def test_what_a_parent_has_seen_its_child_has_seen(clinic: Path, tmp_path: Path) -> None:
    write_parent(tmp_path / "parent", seen(clinic, ["p0", "p1"], ["first", "second"]))
    module = LesionData(recipe(clinic, tmp_path / "store", tmp_path / "parent"))
    together = publish.seen_images(module)
    assert together is not None
    again = SeenImages.from_bytes(together.to_bytes())
    assert again.ids == (*IMAGES[:9], "first", "second")
    assert len(again.fingerprints) == 11
    assert np.array_equal(again.fingerprints.digests[-2:], again.fingerprints.digests[:2])
    assert module.parent is not None
    module.parent = replace(module.parent, seen=None)
    assert publish.seen_images(module) is None


def test_what_only_the_parents_calibration_has_seen_its_weights_do_not_know(
    clinic: Path, tmp_path: Path
) -> None:
    records = [Record("p7", clinic / "p7.png", 0, None, "")]
    write_parent(tmp_path, seen(clinic, IMAGES[:2]).with_calibration(records, fingerprints_of(records)))
    parent = start.parent_of(recipe(clinic, tmp_path, tmp_path))
    assert parent is not None
    assert parent.seen is not None
    assert parent.seen.ids == ("p0", "p1")
