"""The end of a run: calibrate on validation, score the test part once, write the checkpoint directory."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from transxv2s.checkpoint import CheckpointConfig, described, write_checkpoint
from transxv2s.datasets.article import original
from transxv2s.datasets.audit import LEAKY
from transxv2s.datasets.copies import fingerprints_of
from transxv2s.datasets.provenance import SeenImages
from transxv2s.evaluation.scored import PREDICTIONS, ScoredImages
from transxv2s.training.data import LesionData
from transxv2s.training.start import Origin
from transxv2s.trust.fitting import Outputs, evidence_of, fit, learn_novelty
from transxv2s.trust.measured import measured


class Protocol(BaseModel):
    """How a network was trained; stored in its checkpoint.

    Attributes:
        recipe: The whole recipe.
        split_digest: Digest of the split file.
        images: Images of each subset.
        class_sizes: Training images of each class.
        leaky: The split leaks and was declared to.
        epochs: Finished epochs.
        training_minutes: Wall-clock time of fitting, validation included, over all resumptions.
        machine: Processor kind, threads, PyTorch version.
        origin: The checkpoint it started from, if any; `from` in the checkpoint.
    """

    model_config = ConfigDict(frozen=True)

    recipe: dict[str, Any]
    split_digest: str
    images: dict[str, int]
    class_sizes: dict[str, int]
    leaky: bool
    epochs: int
    training_minutes: float
    machine: str
    origin: Origin | None = Field(default=None, serialization_alias="from")


def publish(
    network: nn.Module, data: LesionData, outputs: dict[str, Tensor], protocol: Protocol, directory: Path
) -> Path:
    """Writes the checkpoint directory of a trained network, in half precision.

    Args:
        network: With the weights to publish.
        data: The images that the outputs belong to.
        outputs: Logits and features (N, K + F) of the subsets "validation" and "test", and of `data.known`.
        protocol: How it was trained.
        directory: Where to write.
    """
    split = f"{data.recipe.data.split.stem} (digest {data.split.digest})"
    leaky = LEAKY if protocol.leaky else ""
    said = {subset: _outputs(data, outputs[subset], subset) for subset in outputs}
    fitted_on = f"validation part of {split}, {len(said['validation'].labels)} images"
    fitted = fit(
        said["validation"], learn_novelty(said["train"]), data.taxonomy, protocol.class_sizes, fitted_on
    )
    calibrated = {
        "validation": fitted.held_out,  # what is fitted to these images would praise itself
        "test": fitted.trust.scaling.probabilities(said["test"].logits),
    }
    metrics: dict[str, Any] = {}
    for subset, probabilities in calibrated.items():
        one = said[subset]
        evidence = evidence_of(fitted.trust, fitted.score, one, probabilities)  # quality was not looked at
        said_of_each = ScoredImages.of(one, evidence, data.taxonomy.codes)
        said_of_each.write(directory.with_name(PREDICTIONS.format(subset)))
        words = f"{leaky}{subset} part of {split}"
        metrics[subset] = measured(fitted, one, evidence, data.taxonomy, words)
    config = CheckpointConfig(
        **described(data.taxonomy),
        variant=data.recipe.network.variant,
        preprocessing=data.recipe.preprocessing,
        trust=fitted.trust,
        training=protocol.model_dump(mode="json", by_alias=True),
        metrics=metrics,
    )
    seen = seen_images(data)
    content = None if seen is None else seen.to_bytes()
    write_checkpoint(directory, network, config, half=True, seen_images=content, novelty=fitted.score)
    return directory


def seen_images(data: LesionData) -> SeenImages | None:
    """The images that the network or its calibration has seen; of two copies of an image, one counts.

    With the publisher's lesion ids, which an evaluated image would have too: a group of several lesions has
    the name of only one of them. With those of the checkpoint it started from; None where that tells none.
    """
    records = {original(r.id): r for subset in ("train", "validation") for r in data.records[subset]}
    lesions = tuple(r.lesion or data.split.lesion[r.id] for r in records.values())
    own = SeenImages(tuple(records), lesions, fingerprints_of(list(records.values())).compact())
    if data.parent is None:
        return own
    return data.parent.seen and own.joined(data.parent.seen)


def _outputs(data: LesionData, values: Tensor, subset: str) -> Outputs:
    """What the network says (N, K + F) of a subset; of the training images only some were asked."""
    places = data.known if subset == "train" else range(len(data.records[subset]))
    records, classes = [data.records[subset][i] for i in places], len(data.taxonomy)
    return Outputs(
        values[:, :classes].double().numpy(),
        values[:, classes:].double().numpy(),
        np.array([record.label for record in records], np.intp),
        [data.split.lesion[record.id] for record in records],
        [record.id for record in records],
    )
