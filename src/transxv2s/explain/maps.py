"""Heat maps of images: what to call, and what comes back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transxv2s.errors import InputError
from transxv2s.explain.enlarging import enlarged, scaled
from transxv2s.explain.methods import METHODS, SIX, Method
from transxv2s.explain.observation import Observation
from transxv2s.explain.twin import own_modes
from transxv2s.nets.steps import IMAGE
from transxv2s.nets.transxv2s import TransXV2SNet

FUSED = "fused"
BRANCHES = {"effswin": "effnet", "xceptmod": "xception"}  # branch → its last map
AT_ONCE = 2  # images, as FullGrad holds every operation of each (about 0.4 GB at 128 px)

Map = NDArray[np.float32]


@dataclass(frozen=True)
class HeatMap:
    """Where one method says the network looked.

    Attributes:
        method: Its key in METHODS.
        target: "fused", a branch, or the name of a map.
        class_index: The class that was asked for.
        class_dependent: False where the map is the same for every class.
        values: (H, W) in the size of the image, between 0 and 1.
        raw: Signed, before negative parts were cut off, enlarged and scaled: (h, w) as the method gives it;
            of the fused network (H, W), as its branches' maps were added.
    """

    method: str
    target: str
    class_index: int
    class_dependent: bool
    values: Map
    raw: Map


def heat_maps(
    network: TransXV2SNet,
    images: Tensor,
    methods: Sequence[str] = SIX,
    classes: Sequence[int] | Tensor | None = None,
    targets: Sequence[str] = (FUSED,),
) -> list[list[HeatMap]]:
    """Heat maps of each image, ordered by class, then target, then method.

    The network is left as it is, on whatever device; any number of threads may explain it at the same time.
    Its weights must not change meanwhile: of a network in training explain a copy.

    Args:
        network: In any mode; explained as it is in evaluation.
        images: (B, 3, H, W), scaled by mean = std = 0.5.
        methods: Keys of METHODS; the six by default, ScoreCAM in its reduced form.
        classes: Class numbers, the same for all images, or (B, K) by image; None for the most probable one.
        targets: "fused" (both branches), "effswin" or "xceptmod" (the last map of a branch), or the name of
            any map of `network.get_feature_maps`, such as "swin" and "dcgan".

    Returns:
        For each image its heat maps.

    Raises:
        InputError: A method, class or target is not there, or the images cannot be explained.
    """
    ways = [_method(name) for name in methods]
    by_image = _classes_by_image(classes, len(images))
    found: list[list[HeatMap]] = []
    with own_modes(next(network.parameters()).device):
        for start in range(0, len(images), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            observation = Observation(network, images[part], None if by_image is None else by_image[part])
            found += _explained(observation, dict(zip(methods, ways, strict=True)), targets)
    return found


def _method(name: str) -> Method:
    if name not in METHODS:
        raise InputError(f"there is no method {name!r}; choose from {', '.join(METHODS)}")
    return METHODS[name]


def _classes_by_image(classes: Sequence[int] | Tensor | None, images: int) -> Tensor | None:
    if classes is None:
        return None
    numbers = torch.as_tensor(classes, dtype=torch.long)
    return numbers.expand(images, -1) if numbers.ndim == 1 else numbers


def target_maps(observation: Observation, target: str) -> list[str]:
    """The names of the maps that a target stands for.

    Raises:
        InputError: The network has no such map.
    """
    names = [name for name in BRANCHES.values() if name in observation.maps]
    if target != FUSED:
        names = [BRANCHES.get(target, target)]
    known = [name for name in observation.maps if name != IMAGE]
    if missing := set(names) - set(known):
        raise InputError(
            f"this network has no map {missing.pop()!r}; "
            f"choose {FUSED}, a branch that it has, or one of {', '.join(known)}"
        )
    return names


def _explained(
    observation: Observation, methods: dict[str, Method], targets: Sequence[str]
) -> list[list[HeatMap]]:
    """The heat maps of the images of one observation."""
    size = observation.images.shape[2:]
    found: list[list[HeatMap]] = [[] for _ in observation.images]
    names = {target: target_maps(observation, target) for target in targets}
    made = {(t, m): _raw(observation, way, names[t]) for t in targets for m, way in methods.items()}
    values = {key: scaled(raw, size).cpu().numpy() for key, raw in made.items()}
    raws = {key: raw.float().cpu().numpy() for key, raw in made.items()}
    for image, classes in enumerate(observation.classes.tolist()):
        for k, number in enumerate(classes):
            for (t, m), shown in values.items():
                dependent = methods[m].class_dependent
                heat_map = HeatMap(m, t, number, dependent, shown[image, k], raws[t, m][image, k])
                found[image].append(heat_map)
    return found


def _raw(observation: Observation, method: Method, names: Sequence[str]) -> Tensor:
    """The map of one target, signed: (B, K, h, w)."""
    maps, size = [raw.detach() for raw in method.raw(observation, names)], observation.images.shape[2:]
    if len(maps) == 1:
        return maps[0]
    if method.additive:
        return torch.stack([enlarged(raw, size) for raw in maps]).sum(0)
    return torch.stack([scaled(raw, size) for raw in maps]).mean(0)
