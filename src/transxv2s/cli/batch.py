"""Many images through one classifier, in batches; failures are set aside and Ctrl-C loses nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from transxv2s.ahead import batches_ahead
from transxv2s.classifier import Classifier, Prepared, unique_ids
from transxv2s.errors import ImageError
from transxv2s.explain.meaning import DEFAULT_METHOD
from transxv2s.files import readable
from transxv2s.finding import Finding
from transxv2s.progress import progress
from transxv2s.reports.page import percent
from transxv2s.reports.panels import Shown, shown
from transxv2s.reports.pictures import data_uri, thumbnail
from transxv2s.reports.prediction import Card, Failure, Pictures

Outcome: TypeAlias = Card | Failure
Draw: TypeAlias = Callable[[list[Prepared], list[Finding]], list[Pictures]]

NO_GROUPS: Mapping[str, str] = {}
STOPPED = "not examined, because the run was stopped; run it again for this image"


def examine(
    classifier: Classifier,
    files: Sequence[Path],
    batch_size: int,
    keep_pictures: bool,
    with_heat_maps: bool = False,
    *,
    groups: Mapping[str, str] = NO_GROUPS,
) -> list[Outcome]:
    """A card or a failure for each image, in order; after Ctrl-C, images not reached are failures.

    Only as many originals are in memory as there are cores; the rest of a batch waits as thumbnails.

    Args:
        classifier: What examines them.
        files: The images.
        batch_size: Images that go through the network together, ≥ 1.
        keep_pictures: Whether the cards carry their pictures, some 50 kB an image.
        with_heat_maps: Whether a heat map of the default method is one of them.
        groups: By id the group of an image, where prediction sets are fitted by group.

    Raises:
        InputError: Heat maps are wanted of a network that cannot be explained.
    """
    outcomes: list[Outcome] = []
    draw = partial(_pictures, classifier, with_heat_maps)
    ids = unique_ids([readable(file) for file in files])
    sources = list(zip(files, ids, strict=True))
    with progress("Examining", len(files)) as advance:
        try:
            for batch in batches_ahead(partial(prepare, classifier, groups=groups), sources, batch_size):
                outcomes += _cards(classifier, batch, draw if keep_pictures else None)
                advance(len(batch))
        except KeyboardInterrupt:
            outcomes += [Failure(readable(file), STOPPED) for file, _ in sources[len(outcomes) :]]
    return outcomes


def prepare(
    classifier: Classifier, source: tuple[Path, str], groups: Mapping[str, str] = NO_GROUPS
) -> Prepared | Failure:
    """An image file under an id, its original as a thumbnail, or why it cannot be examined."""
    file, image_id = source
    try:
        prepared = classifier.prepare(file, group=groups.get(image_id))
    except ImageError as error:
        return Failure(readable(file), error.reason)
    return replace(prepared, id=image_id, original=thumbnail(prepared.original))


def _cards(
    classifier: Classifier,
    batch: Sequence[tuple[tuple[Path, str], Prepared | Failure]],
    draw: Draw | None,
) -> list[Outcome]:
    images = [image for _, image in batch if isinstance(image, Prepared)]
    findings = classifier.findings(images)
    pictures = draw(images, findings) if draw else [None] * len(images)
    examined = iter(zip(findings, pictures, strict=True))
    return [
        image if isinstance(image, Failure) else Card(readable(file), *next(examined))
        for (file, _), image in batch
    ]


def _pictures(
    classifier: Classifier, with_heat_maps: bool, images: list[Prepared], findings: list[Finding]
) -> list[Pictures]:
    maps = _heat_maps(classifier, images, findings) if with_heat_maps else [None] * len(images)
    return [
        Pictures(data_uri(image.original), data_uri(image.seen), heat_map)
        for image, heat_map in zip(images, maps, strict=True)
    ]


def _heat_maps(classifier: Classifier, images: list[Prepared], findings: list[Finding]) -> list[Shown | None]:
    """The default method's map of each image, for the class that is predicted."""
    from transxv2s.explain.panels import heat_panel

    codes = [finding.predicted for finding in findings]
    found = classifier.heat_maps(images, codes, [DEFAULT_METHOD])
    return [
        shown(heat_panel(image.seen, only, asked(classifier, finding, code)))
        for image, (only,), finding, code in zip(images, found, findings, codes, strict=True)
    ]


def asked(classifier: Classifier, finding: Finding, code: str) -> str:
    """A class and its probability in words."""
    return f"{classifier.taxonomy[code].name}, {percent(finding.probabilities[code])}"
