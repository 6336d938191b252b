"""Which images must stay on one side of a split: those of one lesion, and copies of one picture."""

from collections.abc import Iterable, Sequence

from transxv2s.datasets.duplicates import Pair
from transxv2s.datasets.records import Record


class Components:
    """Connected components of names (union-find with path halving)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        """The representative of the component of a name."""
        self._parent.setdefault(name, name)
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def join(self, first: str, second: str) -> None:
        """Makes two components one, named by the smaller representative."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low


def groups(records: Sequence[Record], copies: Iterable[Pair]) -> list[str]:
    """For each record the name of its group: connected over lesion ids and copies, exact or near.

    A group is named by the lesion, or else the image, of its first record.
    """
    components = Components()
    images = [f"image:{record.id}" for record in records]
    for record, image in zip(records, images, strict=True):
        components.find(image)
        if record.lesion:
            components.join(image, f"lesion:{record.lesion}")
    for pair in copies:
        components.join(images[pair.first], images[pair.second])
    names = [components.find(image) for image in images]
    first: dict[str, str] = {}
    for record, name in zip(records, names, strict=True):
        first.setdefault(name, record.lesion or record.id)
    return [first[name] for name in names]
