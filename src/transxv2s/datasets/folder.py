"""A folder with one folder of images for each class."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from transxv2s.datasets.challenge import assemble
from transxv2s.datasets.labels import Labels, OwnClasses, taxonomy_of
from transxv2s.datasets.records import Reading, counted, notes
from transxv2s.datasets.tables import by_id, is_image
from transxv2s.errors import DataError
from transxv2s.taxonomy import Taxonomy


def read(
    root: Path, label_map: Mapping[str, str] | None = None, taxonomy: Taxonomy | OwnClasses | None = None
) -> Reading:
    """Reads `root/LABEL/…/*.jpg`; the name of the folder is the label, the name of the file the id.

    Nothing is known of lesions: a split of such a set rests on duplicates alone.

    Args:
        root: The folder of the class folders; hidden ones are not looked at.
        label_map: Name of the folder → code, or "-" to leave it out; None takes codes and English names.
        taxonomy: What the codes are of, or the set's own classes; None takes `isic2018` if AKIEC occurs,
            else `isic2019`.

    Raises:
        DataError: There is no image, a folder has no known meaning, or two files have the same name.
        ConfigError: The label map does not fit the taxonomy.
    """
    if not root.is_dir():
        raise DataError(f"the folder {root} is missing: name one that holds a folder for each class")
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    images = {folder.name: [path for path in _files(folder) if is_image(path)] for folder in folders}
    names = [name for name, paths in images.items() for _ in paths]
    if not names:
        raise DataError(f"no folder in {root} holds images: it needs a folder for each class")
    meant = taxonomy_of(label_map.values() if label_map else images, taxonomy)
    labels = Labels(meant, label_map, str(root))
    labels.check(names)
    position = {name: labels.position(name) for name, paths in images.items() if paths}
    used = [(path, place) for name, place in position.items() if place is not None for path in images[name]]
    files = by_id(path for path, _ in used)
    label_of = {path.stem: place for path, place in used}
    reading = assemble(
        labels=label_of,
        files=files,
        about={},
        lesions={},
        sources=dict.fromkeys(label_of, root.resolve().name),
        taxonomy=meant,
    )
    left_out = [f"{name}/{path.name}" for name in position for path in images[name] if position[name] is None]
    foreign = [path.name for folder in folders for path in _files(folder) if not is_image(path)]
    loose = [path.name for path in sorted(root.iterdir()) if is_image(path)]
    extra = notes(
        counted(left_out, "image is left out by the map", "images are left out by the map"),
        counted(foreign, "file is no image that is read", "files are no images that are read"),
        counted(loose, "image is in no class folder", "images are in no class folder"),
    )
    return replace(reading, notes=(*reading.notes, *extra))


def _files(folder: Path) -> list[Path]:
    """Files of a class folder and the folders in it; hidden ones are not looked at."""
    there = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in there if not any(p.startswith(".") for p in path.relative_to(folder).parts)]
