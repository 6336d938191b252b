"""What a network starts from: random values, ImageNet trunks, or a checkpoint that is fine-tuned.

A checkpoint gives all weights but those of classes that it does not know. Its calibration is dropped, because
it was fitted on other images; which images it has seen is not, because the new network has seen them too.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import nn

from transxv2s.checkpoint import CheckpointConfig, read_checkpoint, read_config, read_seen_images
from transxv2s.datasets.copies import fingerprints_of_readable_files
from transxv2s.datasets.provenance import Overlap, SeenImages, overlap
from transxv2s.datasets.records import Record
from transxv2s.errors import ConfigError
from transxv2s.nets import load_trunk
from transxv2s.nets import network as create
from transxv2s.taxonomy import Taxonomy
from transxv2s.training.recipe import Network, Recipe

log = logging.getLogger(__name__)

CALIBRATION = "that of the checkpoint was dropped and one fitted anew on the validation part"


class Origin(BaseModel):
    """What a fine-tuned checkpoint tells of the one that it started from.

    Attributes:
        checkpoint: Its digest.
        classes_kept: Codes whose weights in the classifier were taken over.
        classes_new: Codes whose weights there started at random.
        classes_dropped: Codes that it had and the new one has not.
        preprocessing_changed: Steps of the preprocessing that differ.
        calibration: What became of its calibration.
        same_split: It was trained on the training part of the same split, which is trained on again.
        held_out_images_seen: What it has seen of the held-out images, with `same_split` of those of the test
            part; see `left_out`.
        left_out: How many of them were left out of validation and test therefore.
        training: Its own protocol.
    """

    model_config = ConfigDict(frozen=True)

    checkpoint: str
    classes_kept: list[str]
    classes_new: list[str]
    classes_dropped: list[str]
    preprocessing_changed: list[str]
    same_split: bool
    calibration: str = CALIBRATION
    held_out_images_seen: str
    left_out: int
    training: dict[str, Any]


@dataclass(frozen=True)
class Parent:
    """A checkpoint that a network starts from, without its weights.

    Attributes:
        directory: Where it is.
        config: Its config.
        digest: Of the config.
        seen: The images it was trained and validated on; None where it does not tell.
    """

    directory: Path
    config: CheckpointConfig
    digest: str
    seen: SeenImages | None

    def seen_of(self, records: Sequence[Record]) -> tuple[Overlap, frozenset[str]]:
        """How far it has seen these images, and the ids of those that it has; unreadable ones it has not."""
        readable, prints, _ = fingerprints_of_readable_files(records)
        return overlap(self.seen, [records[place] for place in readable], prints)

    def is_of_split(self, digest: str) -> bool:
        """Whether it, and whatever it started from, was trained on the training part of this split alone.

        Then no weight knows an image of the validation part: epochs and calibration were chosen on it, as
        they will be again.
        """
        training: dict[str, Any] | None = self.config.training
        while training is not None:
            if training.get("split_digest") != digest:
                return False
            training = (training.get("from") or {}).get("training")
        return True

    def origin(
        self, recipe: Recipe, taxonomy: Taxonomy, same_split: bool, seen: Overlap, left_out: int
    ) -> Origin:
        """What a network for other classes, trained by a recipe, is to tell of this checkpoint."""
        old, new = self.config.classes, taxonomy.codes
        return Origin(
            checkpoint=self.digest,
            classes_kept=[code for code in new if code in old],
            classes_new=[code for code in new if code not in old],
            classes_dropped=[code for code in old if code not in new],
            preprocessing_changed=self.preprocessing_changed(recipe),
            same_split=same_split,
            held_out_images_seen=seen["words"],
            left_out=left_out,
            training=self.config.training,
        )

    def preprocessing_changed(self, recipe: Recipe) -> list[str]:
        """Steps that a recipe takes otherwise."""
        old, new = self.config.preprocessing.model_dump(), recipe.preprocessing.model_dump()
        return [step for step in new if new[step] != old[step]]


def parent_of(recipe: Recipe) -> Parent | None:
    """The checkpoint that a recipe starts from, if any.

    Raises:
        CheckpointError: It is not there, damaged or not one of ours.
        ConfigError: The recipe is for another network or image size, or names other weights too.
    """
    options = recipe.network
    if options.checkpoint is None:
        return None
    if options.pretrained or options.xception_weights:
        raise ConfigError(
            "network.checkpoint gives all weights: remove network.pretrained and network.xception_weights"
        )
    config, digest = read_config(options.checkpoint)
    _check("network.variant", options.variant, config.variant)
    _check("preprocessing.size", recipe.preprocessing.size, config.preprocessing.size)
    content = read_seen_images(options.checkpoint, config)
    seen = None if content is None else SeenImages.from_bytes(content).by_training()
    parent = Parent(options.checkpoint, config, digest, seen)
    if changed := parent.preprocessing_changed(recipe):
        log.warning("The checkpoint saw images prepared otherwise: preprocessing.%s", ", ".join(changed))
    return parent


def _check(key: str, wanted: object, there: object) -> None:
    if wanted != there:
        raise ConfigError(
            f"{key} is {wanted}, but {there} in the checkpoint to start from: set it to {there}"
        )


def network(options: Network, taxonomy: Taxonomy, parent: Parent | None) -> nn.Module:
    """A network with its starting weights.

    Args:
        options: Of the recipe.
        taxonomy: The classes to tell apart.
        parent: The checkpoint that gives the weights, if any.

    Raises:
        WeightsUnavailableError: ImageNet weights cannot be had.
        ConfigError: Weights are named for a trunk that the variant does not have.
        CheckpointError: The checkpoint's weights are missing or damaged.
    """
    made = create(
        options.variant,
        len(taxonomy),
        drop_rate=options.dropout,
        pretrained=options.pretrained,
        drop_path=options.drop_path,
    )
    if parent is not None:
        _take_over(made, taxonomy.codes, parent)
    if options.xception_weights is not None:
        branch = getattr(made, "xceptmod", None)
        if branch is None:
            raise ConfigError(f"network.xception_weights: {options.variant} has no Xception; remove the key")
        load_trunk(branch.trunk, options.xception_weights)
    return made


def _take_over(made: nn.Module, codes: Sequence[str], parent: Parent) -> None:
    """Weights of the parent; in the last linear layer those of the classes that both know."""
    state, own = read_checkpoint(parent.directory).model.state_dict(), made.state_dict()
    *_, head = (name for name, module in made.named_modules() if isinstance(module, nn.Linear))
    shared = [code for code in codes if code in parent.config.classes]
    to, of = ([classes.index(code) for code in shared] for classes in (list(codes), parent.config.classes))
    for name in (f"{head}.weight", f"{head}.bias"):
        state[name] = own[name].index_copy(0, torch.tensor(to, dtype=torch.long), state[name][of])
    made.load_state_dict(state)
