"""What `transxv2s bench` measures: the checkpoint, the engines, the images; and where its answers go."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from transxv2s.cli import dataset as options

if TYPE_CHECKING:
    from transxv2s.bench.accuracy import Labelled
    from transxv2s.checkpoint import Checkpoint

RUN = 64  # images that are run again and again


@dataclass(frozen=True)
class Labels:
    """The options that mean labelled images."""

    dataset: str
    root: Path | None
    split: Path | None
    subset: str
    limit: int | None
    ham10000: Path | None = None

    def read(self, checkpoint: "Checkpoint") -> "Labelled":
        """The images.

        Raises:
            ConfigError: No folder is named.
            DataError: The images cannot be read, or have other classes than the network.
        """
        from transxv2s.bench.images import labelled
        from transxv2s.datasets import splits
        from transxv2s.datasets.portion import Portion
        from transxv2s.errors import ConfigError

        if self.root is None:
            raise ConfigError("Labelled images are read from a folder: name it with --root")
        own = checkpoint.config.to_taxonomy()
        reading = options.read_dataset(self.dataset, self.root, model=own, ham10000=self.ham10000)
        split = splits.load(self.split) if self.split else None
        # the split may leak: engines are compared with each other, and none gains by that
        records = Portion(self.dataset, reading, split).part(self.subset)
        if split:
            records = [replace(r, lesion=split.lesion[r.id]) for r in records]
        return labelled(records, reading.taxonomy, checkpoint, self.limit)


def engine_names(engines: str | None) -> list[str]:
    """The engines of the option, or all that need not compile.

    Raises:
        ConfigError: One is "auto".
        InputError: There is none of that name.
    """
    from transxv2s.bench.contenders import default_names
    from transxv2s.engines.engine import AUTO, parse
    from transxv2s.errors import ConfigError

    if engines is None:
        return default_names()
    names = [name.strip() for name in engines.split(",")]
    if AUTO in names:
        raise ConfigError(
            "auto is one of the engines that are measured here: name those, or leave --engines out"
        )
    return [parse(name).name for name in names]


def checkpoint_of(directory: Path | None) -> "Checkpoint":
    """The checkpoint that is named, or the one that ships."""
    from transxv2s.checkpoint import read_checkpoint
    from transxv2s.classifier import default_checkpoint

    return read_checkpoint(directory or default_checkpoint())


def files_of(images: list[str] | None) -> list[Path]:
    """Image files to run."""
    from transxv2s.cli.inputs import find_images, samples

    return find_images(images or samples())[:RUN]


def check_outputs(rows: Path | None, figure: Path | None = None) -> None:
    """Before the work, so that nothing that was measured is lost.

    Raises:
        ConfigError: The figure has a form that is not written.
        DataError: A folder cannot be made.
    """
    from transxv2s.bench.figure import FORMATS
    from transxv2s.errors import ConfigError
    from transxv2s.files import make_folders

    if figure and figure.suffix.lower() not in FORMATS:
        raise ConfigError(f"{figure} must end in one of {', '.join(FORMATS)}: name the figure so")
    make_folders(*[path.parent for path in (rows, figure) if path])


def watch(names: Iterable[str]) -> Iterable[str]:
    """A bar on stderr that goes over the names of a round."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(list(names), "Measuring", console=console, transient=True, disable=not console.is_terminal)
