"""Many images through one classifier, in batches; failures are set aside and Ctrl-C loses nothing."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from transxv2s.classifier import Classifier, Prepared, unique_ids
from transxv2s.cli.inputs import readable
from transxv2s.errors import ImageError
from transxv2s.progress import progress
from transxv2s.reports.pictures import data_uri, thumbnail
from transxv2s.reports.prediction import Card, Failure, Pictures

Outcome: TypeAlias = Card | Failure

STOPPED = "not examined, because the run was stopped; run it again for this image"


def examine(
    classifier: Classifier, files: Sequence[Path], batch_size: int, keep_pictures: bool
) -> list[Outcome]:
    """A card or a failure for each image, in order; after Ctrl-C, images not reached are failures.

    Only as many originals are in memory as there are threads; the rest of a batch waits as thumbnails.

    Args:
        classifier: What examines them.
        files: The images.
        batch_size: Images that go through the network together, ≥ 1.
        keep_pictures: Whether the cards carry their pictures, some 50 kB an image.
    """
    outcomes: list[Outcome] = []
    ids = unique_ids([readable(file) for file in files])
    sources = list(zip(files, ids, strict=True))
    with progress("Examining", len(files)) as advance, ThreadPoolExecutor() as pool:
        try:
            for start in range(0, len(sources), batch_size):
                batch = sources[start : start + batch_size]
                prepared = list(pool.map(partial(_prepare, classifier), batch))
                outcomes += _cards(classifier, prepared, batch, keep_pictures)
                advance(len(batch))
        except KeyboardInterrupt:
            outcomes += [Failure(readable(file), STOPPED) for file, _ in sources[len(outcomes) :]]
    return outcomes


def _prepare(classifier: Classifier, source: tuple[Path, str]) -> Prepared | Failure:
    file, image_id = source
    try:
        prepared = classifier.prepare(file)
    except ImageError as error:
        return Failure(readable(file), error.reason)
    return replace(prepared, id=image_id, original=thumbnail(prepared.original))


def _cards(
    classifier: Classifier,
    prepared: Sequence[Prepared | Failure],
    batch: Sequence[tuple[Path, str]],
    keep_pictures: bool,
) -> list[Outcome]:
    findings = iter(classifier.findings([image for image in prepared if isinstance(image, Prepared)]))
    return [
        image
        if isinstance(image, Failure)
        else Card(readable(file), next(findings), _pictures(image) if keep_pictures else None)
        for image, (file, _) in zip(prepared, batch, strict=True)
    ]


def _pictures(image: Prepared) -> Pictures:
    return Pictures(data_uri(image.original), data_uri(image.seen))
