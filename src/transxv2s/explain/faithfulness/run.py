"""The whole evaluation of heat maps: images, rows as they are made, summary, figure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transxv2s.checkpoint import Checkpoint, read_seen_images
from transxv2s.datasets.copies import fingerprints_of
from transxv2s.datasets.portion import Portion
from transxv2s.datasets.provenance import Overlap, SeenImages, overlap
from transxv2s.datasets.records import Record
from transxv2s.engines.lean import LeanNetwork
from transxv2s.errors import CheckpointError
from transxv2s.explain.faithfulness import perturbation, road
from transxv2s.explain.faithfulness.cases import Case, choose, prepare
from transxv2s.explain.faithfulness.figure import draw, png
from transxv2s.explain.faithfulness.localisation import BAND
from transxv2s.explain.faithfulness.measures import LIKENESS, MEASURES, Subject, Way, measured
from transxv2s.explain.faithfulness.perturbation import Logits, Map
from transxv2s.explain.faithfulness.randomisation import cascade
from transxv2s.explain.faithfulness.rows import Rows
from transxv2s.explain.faithfulness.summary import LIMIT, summarise
from transxv2s.explain.maps import FUSED, heat_maps
from transxv2s.explain.methods import SIX
from transxv2s.files import make_folders, write_whole
from transxv2s.hardware import require_bfloat16
from transxv2s.nets.transxv2s import TransXV2SNet
from transxv2s.progress import progress

IMAGES, RANDOMISED = 200, 40
ASKED = "the class that is named"  # not always the most probable one, see `trust.adjustment`
ROWS, RESULTS, FIGURE = "faithfulness.csv", "faithfulness.json", "faithfulness.png"


def subject_of(
    checkpoint: Checkpoint,
    methods: Sequence[str] = SIX,
    target: str = FUSED,
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
    bfloat16: bool = False,
) -> Subject:
    """A checkpoint's network and methods, ready to be judged as users see them.

    Args:
        checkpoint: Its network is moved to the device, otherwise left as it is.
        methods: Keys of `transxv2s.explain.METHODS`.
        target: What is explained, as for `heat_maps`.
        device: Where the network runs.
        seed: Of the randomisation.
        bfloat16: Score changed images in bfloat16, which is several times as fast on processors that have
            it and moves probabilities by up to about 0.02; maps are made in float32 all the same.

    Raises:
        CheckpointError: The network is none that `heat_maps` can explain.
        InputError: The device does not compute in bfloat16.
    """
    if bfloat16:
        require_bfloat16(torch.device(device), "leave bfloat16 out")
    network, config = checkpoint.model.eval().to(device), checkpoint.config
    if not isinstance(network, TransXV2SNet):
        raise CheckpointError(f"heat maps of a {type(network).__name__} cannot be made; name a TransXV2S-Net")
    network.to(memory_format=torch.channels_last)
    return Subject(
        checkpoint.digest,
        config.to_taxonomy().codes,
        scorer(network, device, bfloat16),
        ways(network, methods, target),
        {stage: ways(random, methods, target) for stage, random in cascade(network, seed=seed).items()},
        config.trust,
    )


def scorer(network: TransXV2SNet, device: torch.device | str, bfloat16: bool) -> Logits:
    """The logits of images (N, 3, S, S) by the lean copy of a network that the engines run.

    Not by an engine: they take whole grey levels, and to a blurred image their steps are an edge that the
    network sees.
    """
    lean = LeanNetwork(network)
    if bfloat16:
        lean.in_bfloat16()
    lean.to(device).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def logits(images: Tensor) -> Tensor:
        found: Tensor = lean(images.to(device, memory_format=torch.channels_last))[0]
        return found

    return logits


def ways(network: TransXV2SNet, methods: Sequence[str], target: str) -> dict[str, Way]:
    """Each method on its own, as a function of an image and a class."""
    return {method: partial(_map, network, method, target) for method in methods}


def _map(network: TransXV2SNet, method: str, target: str, image: Tensor, class_index: int) -> Map:
    return heat_maps(network, image.unsqueeze(0), [method], [class_index], [target])[0][0].values


def evaluate(
    subject: Subject,
    cases: Sequence[Case],
    out: Path,
    *,
    randomised: int = RANDOMISED,
    settings: Mapping[str, Any] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Judges methods on images and writes faithfulness.csv, .json and .png; what is in the first is kept.

    Args:
        subject: Network and methods.
        cases: The images.
        out: Folder for the files; its rows of other images stay there and do not count.
        randomised: On how many of the images, the first ones, maps of the random networks are made.
        settings: What else decides the rows: those made with other settings are refused.
        notes: What else goes into the JSON.

    Returns:
        The content of faithfulness.json.

    Raises:
        DataError: The folder holds rows of another checkpoint or other settings, or cannot be written.
    """
    make_folders(out)
    used = _settings(subject, randomised) | dict(settings or {})
    digest = hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()[:12]
    rows = Rows(out / ROWS, _numbers(subject), digest)
    rows.keep({case.id: case.file for case in cases}, subject.names)
    with progress("Judging heat maps", len(cases)) as advance:
        for position, case in enumerate(cases):
            if case.id not in rows.by_image:
                rows.add(case.id, measured(subject, case, position < randomised))
            advance(1)
    last = list(subject.randomised)[-1] if subject.randomised else None
    summary = summarise([rows.by_image[case.id] for case in cases], [case.lesion for case in cases], last)
    results = {"settings": used, **(notes or {}), "classes": _counts(cases), "limit": LIMIT, **summary}
    write_whole(out / RESULTS, json.dumps(results, indent=2) + "\n")
    write_whole(out / FIGURE, png(draw(summary, last)))
    return results


def _settings(subject: Subject, randomised: int) -> dict[str, Any]:
    """All that decides a row, beside the image."""
    return {
        "checkpoint": subject.digest,
        "asked": ASKED,
        "methods": list(subject.ways),
        "steps": perturbation.STEPS,
        "blur": perturbation.BLUR,
        "road_shares": list(road.SHARES),
        "road_noise": road.NOISE,
        "band": BAND,
        "ties": "by a coarse random map",
        "stages": list(subject.randomised),
        "randomised_images": randomised,
    }


def _numbers(subject: Subject) -> list[str]:
    agreement = [f"agrees_{name}" for name in subject.names]
    after = [f"{kind}_after_{stage}" for stage in subject.randomised for kind in LIKENESS]
    return ["probability", "lesion_area", "flat", *MEASURES, *agreement, *after]


def _counts(cases: Sequence[Case]) -> dict[str, int]:
    labels = [case.label for case in cases]
    return {label: labels.count(label) for label in sorted(set(labels))}


def run_evaluation(
    checkpoint: Checkpoint,
    chosen: Portion,
    masks: Mapping[str, Path],
    out: Path,
    *,
    methods: Sequence[str] = SIX,
    target: str = FUSED,
    images: int = IMAGES,
    randomised: int = RANDOMISED,
    seed: int = 0,
    device: torch.device | str = "cpu",
    bfloat16: bool = False,
) -> dict[str, Any]:
    """Judges a checkpoint's heat maps on labelled images with lesion masks: `transxv2s explain --evaluate`.

    Args:
        checkpoint: As `read_checkpoint` gives it.
        chosen: The images to choose from, such as the test part of a split of HAM10000. Those that share a
            lesion or a picture with what the network was trained or validated on are left out.
        masks: Mask files by image id, as `datasets.ham10000.masks` finds them.
        out: Folder for faithfulness.csv (which grows, and is kept when a stopped run goes on), .json, .png.
        methods: Keys of `transxv2s.explain.METHODS`.
        target: What is explained, as for `heat_maps`.
        images: How many, evenly over classes, one of a lesion.
        randomised: On how many of them the methods are tried on random networks too.
        seed: Of the choice of images and of the random networks.
        device: Where the network runs.
        bfloat16: As for `subject_of`.

    Returns:
        The content of faithfulness.json: settings, what was left out, counts, and what `Summary` holds.

    Raises:
        LeakageError: The split leaks and is not declared to.
        DataError: There are too few images with masks, or the folder holds rows of other settings.
        ImageError: An image or mask cannot be read.
        CheckpointError: The network is none that `heat_maps` can explain.
        InputError: The device does not compute in bfloat16.
    """
    subject = subject_of(checkpoint, methods, target, device=device, seed=seed, bfloat16=bfloat16)
    unseen, found = _unseen(checkpoint, chosen.records())
    records, preprocessing = choose(unseen, masks, images, seed), checkpoint.config.preprocessing
    codes = chosen.reading.taxonomy.codes
    cases = [prepare(r, codes[r.label], lesion_of(chosen, r), masks[r.id], preprocessing) for r in records]
    settings = {
        "dataset": chosen.name,
        "protocol": chosen.protocol(),
        "target": target,
        "seed": seed,
        "scored_by": f"lean network, {'bfloat16' if bfloat16 else 'float32'}",
    }
    notes = {"left_out_as_seen_in_training": found}
    return evaluate(subject, cases, out, randomised=randomised, settings=settings, notes=notes)


def lesion_of(chosen: Portion, record: Record) -> str:
    """The split's group of an image; without a split its lesion, or the image itself."""
    return chosen.split.lesion[record.id] if chosen.split else record.lesion or record.id


def _unseen(checkpoint: Checkpoint, records: Sequence[Record]) -> tuple[list[Record], Overlap]:
    """Without images that the checkpoint has seen, and how many those are."""
    content = checkpoint.directory and read_seen_images(checkpoint.directory, checkpoint.config)
    seen = SeenImages.from_bytes(content) if content else None
    found, dropped = overlap(seen, records, fingerprints_of(records))
    return [record for record in records if record.id not in dropped], found
