"""Which image files and which network the arguments of a command mean."""

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transxv2s.errors import DataError
from transxv2s.files import readable

if TYPE_CHECKING:
    from transxv2s.classifier import Classifier


def find_images(arguments: Sequence[str]) -> list[Path]:
    """Image files that files, folders and patterns mean, each once, in the order of the arguments.

    A named file is taken whatever its suffix. Folders, searched at any depth, and patterns (`*`, `?`, `[…]`,
    and `**` for any depth) give the files with a suffix of an image, sorted and without hidden ones. An
    argument that means no image stays in its place as a path, to be listed with its reason like any bad file.

    Raises:
        DataError: No argument means an image.
    """
    found: dict[Path, Path] = {}
    failures: list[DataError] = []
    for argument in arguments:
        try:
            files = _meant(argument)
        except DataError as error:
            failures.append(error)
            files = [Path(argument)]
        for file in files:
            found.setdefault(file.resolve(), file)
    if len(failures) == len(arguments):
        raise failures[0]
    return list(found.values())


def _meant(argument: str) -> list[Path]:
    named = _matches(glob.escape(argument))
    if named and not named[0].is_dir():
        return named
    images = sorted({image for match in named or _matches(argument) for image in _images_at(match)})
    if not images:
        why = "the folder holds no images" if named else "no file or folder has that name or pattern"
        raise DataError(f"{readable(argument)}: {why}; name image files, folders or quoted patterns.")
    return images


def _matches(pattern: str) -> list[Path]:
    return [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - may be absolute


def _images_at(path: Path) -> Iterable[Path]:
    from transxv2s.imaging.decode import SUFFIXES

    if not path.is_dir():
        return [path] if path.suffix.lower() in SUFFIXES else []
    below = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    return (file for file in below if not any(p.startswith(".") for p in file.relative_to(path).parts))


def samples() -> list[str]:
    """The images that come with a checkout, for commands that need some image.

    Raises:
        DataError: This is an installation without them.
    """
    from transxv2s.classifier import SHIPPED_CHECKPOINT

    folder = SHIPPED_CHECKPOINT.parents[1] / "samples"
    if not folder.is_dir():
        raise DataError("No sample images come with this installation: name some with --images.")
    return [str(folder)]


def load(
    checkpoint: Path | None, device: str, engine: str = "eager", *, to_explain: bool = False
) -> "Classifier":
    """The classifier of a checkpoint directory, or of the one that ships.

    To explain takes the weights, whatever the engine: they are read, and refused, before the work begins.
    """
    from transxv2s.checkpoint import read_checkpoint
    from transxv2s.classifier import Classifier, default_checkpoint

    directory = checkpoint or default_checkpoint()
    if to_explain:
        return Classifier(read_checkpoint(directory), device, engine)
    return Classifier.load(directory, device, engine)
