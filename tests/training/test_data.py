"""The data module: which images, in which shape, with which labels, and where a resumed epoch starts."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from datasets.layout import write_flat, write_lines
from transxv2s.datasets import splits
from transxv2s.errors import ConfigError, DataError
from transxv2s.training.data import LesionData
from transxv2s.training.recipe import Augmentation, Data, Table

from .tiny import SUBSETS, recipe


def data_options(folder: Path, **changes: object) -> Data:
    return recipe(folder).data.model_copy(update=changes)


def levels(image: Tensor) -> list[int]:
    """The grey levels that occur."""
    return sorted(set(image.flatten().tolist()))


def test_images_and_labels_go_together_in_every_subset(data: Path) -> None:
    module = LesionData(recipe(data))
    for subset in splits.SUBSETS:
        dataset = module.dataset(subset)
        assert len(dataset) == 8 * SUBSETS.count(subset)
        for place, record in enumerate(module.records[subset]):
            image, label = dataset[place]
            number = int(record.id.removeprefix("ISIC_"))
            assert image.shape == (3, 64, 64)
            assert image.dtype == torch.uint8
            assert levels(image) == [5 * number]
            assert label == record.label == number // len(SUBSETS)


def test_batches(data: Path) -> None:
    module = LesionData(recipe(data))
    training = list(module.train_dataloader())
    assert [tuple(images.shape) for images, _ in training] == [(6, 3, 64, 64)] * 5  # 32 images, 2 left out
    ((images, labels),) = module.val_dataloader()
    assert labels.tolist() == list(range(8))
    assert images[:, 0, 0, 0].tolist() == [5 * (6 * i + SUBSETS.index("validation")) for i in range(8)]
    assert sum(len(labels) for _, labels in module.test_dataloader()) == 8


def test_only_training_images_are_augmented(data: Path) -> None:
    module = LesionData(recipe(data, augmentation=Augmentation(colour_jitter=1.0)))
    for subset in splits.SUBSETS:
        dataset, records = module.dataset(subset), module.records[subset]
        found = [levels(dataset[place][0]) for place in range(len(dataset))]
        unchanged = found == [[5 * int(r.id.removeprefix("ISIC_"))] for r in records]
        assert unchanged is (subset != "train")


def test_the_limit_thins_every_subset_evenly(data: Path) -> None:
    module = LesionData(recipe(data, data=data_options(data, limit=4)))
    assert {subset: len(records) for subset, records in module.records.items()} == dict.fromkeys(
        splits.SUBSETS, 4
    )
    assert module.labels("train") == [0, 2, 4, 6]


def test_a_limit_above_the_size_leaves_all(data: Path) -> None:
    module = LesionData(recipe(data, data=data_options(data, limit=9)))
    assert [len(module.records[s]) for s in splits.SUBSETS] == [9, 8, 8]


def test_larger_files_of_ham10000_are_taken(data: Path, tmp_path: Path) -> None:
    write_flat(tmp_path / "HAM10000_images" / "ISIC_0.png", 77)
    module = LesionData(recipe(data, data=data_options(data, ham10000=tmp_path)))
    image, _ = module.dataset("train")[0]
    assert levels(image) == [77]


def test_a_split_that_is_not_there_is_made(data: Path, tmp_path: Path) -> None:
    """Made only if the set is large enough: 48 images of 8 classes are not."""
    with pytest.raises(DataError, match="too few for 10 folds"):
        LesionData(recipe(data, data=data_options(data, split=tmp_path / "split.csv")))


def test_a_resumed_epoch_starts_after_the_images_already_seen(data: Path) -> None:
    whole, resumed = LesionData(recipe(data)), LesionData(recipe(data))
    whole.sampler.set_epoch(3)
    resumed.load_state_dict({"epoch": 3, "seen": 12})
    batches = [levels(images) for images, _ in whole.train_dataloader()]
    assert [levels(images) for images, _ in resumed.train_dataloader()] == batches[2:]


def test_any_data_set_by_its_name(data: Path, tmp_path: Path) -> None:
    """The same images as one folder a class, of which two are ours and one is left out."""
    for number, label in enumerate(("naevus", "wart", "melanoma") * 3):
        write_flat(tmp_path / "set" / label / f"x{number}.png", 20 * number)
    rows = [f"x{number},,0,{splits.SUBSETS[number // 3]}" for number in range(9)]
    write_lines(tmp_path / "split.csv", "image,lesion,fold,split", *rows)
    labels = {"naevus": "NV", "wart": "WART", "melanoma": "-"}
    table = Table(labels=labels, taxonomy="own", behaviours={"WART": "benign"})
    options = Data(
        dataset="folder",
        root=tmp_path / "set",
        table=table,
        split=tmp_path / "split.csv",
        store=tmp_path / "s",
    )
    module = LesionData(recipe(data, data=options))
    assert [(c.code, c.behaviour) for c in module.taxonomy.classes] == [("NV", "benign"), ("WART", "benign")]
    assert [record.id for record in module.records["test"]] == ["x6", "x7"]
    assert module.labels("test") == [0, 1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset": "isic2017"}, "'isic2017' is unknown: take one of isic2019"),
        ({"table": Table(labels={"a": "NV"})}, r"data\.table\.labels would mean nothing for isic2019"),
        (
            {"dataset": "folder", "table": Table(file=Path("t.csv"))},
            r"table\.file would mean nothing for folder",
        ),
        ({"dataset": "table", "table": Table(behaviours={"A": "benign"})}, "add taxonomy: own"),
        ({"dataset": "table", "table": Table(taxonomy="isic")}, "taxonomy 'isic' is unknown"),
    ],
)
def test_options_that_do_not_fit_the_data_set_are_refused(
    changes: dict[str, object], said: str, data: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        LesionData(recipe(data, data=data_options(data, **changes)))
