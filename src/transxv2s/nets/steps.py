"""A branch as steps from map to map, so that it can go on from any of its named maps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

Maps = dict[str, Tensor]

IMAGE = "image"  # the name of what every branch starts from


class Step(NamedTuple):
    """How one named map comes from others.

    Attributes:
        name: Of the map.
        inputs: Names of the maps it comes from.
        run: Those maps (B, C, H, W) to this one.
    """

    name: str
    inputs: tuple[str, ...]
    run: Callable[..., Tensor]


def walk(steps: Iterable[Step], given: Mapping[str, Tensor]) -> Maps:
    """The maps that are given and all that are not, in the order of the steps."""
    maps = dict(given)
    for step in steps:
        if step.name not in maps:
            maps[step.name] = step.run(*(maps[name] for name in step.inputs))
    return maps


def following(steps: Sequence[Step], name: str) -> set[str]:
    """The maps that a map has a part in, without itself."""
    found = {name}
    for step in steps:
        if found.intersection(step.inputs):
            found.add(step.name)
    return found - {name}


def leading(steps: Sequence[Step], name: str) -> set[str]:
    """The maps that have a part in a map, with itself."""
    found = {name}
    for step in reversed(steps):
        if step.name in found:
            found.update(step.inputs)
    return found
