"""Every reader by the name that commands take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from transxv2s.datasets import folder, ham10000, isic2018, isic2019, table
from transxv2s.datasets.labels import OwnClasses
from transxv2s.datasets.records import Reading
from transxv2s.errors import ConfigError
from transxv2s.taxonomy import Taxonomy


@dataclass(frozen=True)
class TableOptions:
    """What a data set without a publisher's layout needs to be read; see `table.read`."""

    path: Path | None = None
    columns: table.Columns = field(default_factory=table.Columns)
    label_map: Mapping[str, str] | None = None
    taxonomy: Taxonomy | OwnClasses | None = None


def read(name: str, root: Path, options: TableOptions = TableOptions()) -> Reading:
    """Reads a data set.

    Args:
        name: isic2019, isic2019-test, isic2018, isic2018-test, ham10000, table or folder; `isic2019` and
            `isic2018` take the test part if only that is there.
        root: Its folder.
        options: For `table` and `folder`.

    Raises:
        ConfigError: The name is unknown.
        DataError: The data set is missing, incomplete or contradicts itself.
    """
    readers: dict[str, Callable[[], Reading]] = {
        "isic2019": lambda: isic2019.read(root),
        "isic2019-test": lambda: isic2019.read(root, "Test"),
        "isic2018": lambda: isic2018.read(root),
        "isic2018-validation": lambda: isic2018.read(root, "Validation"),
        "isic2018-test": lambda: isic2018.read(root, "Test"),
        "ham10000": lambda: ham10000.read(root),
        "table": lambda: table.read(root, options.path, options.columns, options.label_map, options.taxonomy),
        "folder": lambda: folder.read(root, options.label_map, options.taxonomy),
    }
    if name not in readers:
        raise ConfigError(f"the data set {name!r} is unknown: take one of {', '.join(readers)}")
    return readers[name]()
