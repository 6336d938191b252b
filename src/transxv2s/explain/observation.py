"""What the methods look at: a network's maps and logits of some images, and ways to go on from any map."""

import copy
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from transxv2s.errors import InputError
from transxv2s.explain.twin import twin
from transxv2s.nets.steps import IMAGE, Maps, Step, following, walk
from transxv2s.nets.transxv2s import TransXV2SNet

Found = TypeVar("Found")


class Observation:
    """A question to a network: why these classes for these images?

    Args:
        network: Left as it is; its mode does not matter, the answer is always that of evaluation.
        images: (B, 3, H, W), scaled by mean = std = 0.5.
        classes: For each image the K classes to explain, (B, K); None for its most probable one.

    Attributes:
        network: A private twin of the network.
        images: On its device and in its number type.
        maps: All named maps (B, C, h, w), and the image.
        logits: (B, number of classes).
        classes: (B, K).

    Raises:
        InputError: The images are not finite or not of the size the network takes, or a class is not there.
    """

    def __init__(self, network: TransXV2SNet, images: Tensor, classes: Tensor | None = None) -> None:
        weight = next(network.parameters())
        self.network = twin(network)
        self.images = images.detach().to(weight.device, weight.dtype, copy=True)
        if not self.images.isfinite().all():
            raise InputError("an image has values that are not finite: prepare it again from its file")
        self._branches = self.network.branches()
        with torch.no_grad():
            self.maps: Maps = {IMAGE: self.images} | self.network.get_feature_maps(self.images)
            self.logits = self.network.forward_head(self.maps)
        self.classes = (
            self.logits.argmax(1, keepdim=True) if classes is None else classes.to(weight.device, copy=True)
        )
        self._check_classes()
        self._gradients: dict[str, Tensor] = {}
        self._found: dict[Callable[..., Any], Any] = {}

    @cached_property
    def _head(self) -> nn.ModuleList:
        """Fusion and classifier in float64, a copy."""
        return copy.deepcopy(nn.ModuleList([self.network.fusion, self.network.classifier])).double()

    def _check_classes(self) -> None:
        known, shape = self.logits.shape[1], (len(self.images), self.classes.shape[-1])
        if self.classes.shape != shape or not ((self.classes >= 0) & (self.classes < known)).all():
            raise InputError(f"classes are numbers from 0 to {known - 1}, as many for each image")

    def of_classes(self, logits: Tensor) -> Tensor:
        """(B, number of classes) to the classes asked for, (B, K)."""
        return logits.gather(1, self.classes)

    def branch_of(self, name: str) -> Sequence[Step]:
        """The steps of the branch that makes a map."""
        return next(steps for steps in self._branches.values() if name in {step.name for step in steps})

    def logits_from(
        self, steps: Sequence[Step], name: str, values: Tensor, image: int | None = None
    ) -> Tensor:
        """Logits (N, number of classes) with other values for a map; only what follows from it runs.

        The maps are in the network's number type, what is made of them in float64: by one channel a logit
        changes hardly more than float32 rounds it.

        Args:
            steps: The branch that sees the other values.
            name: The map.
            values: (N, C, h, w).
            image: The image that all of them stand for; None for one of each image.
        """
        changed = following(steps, name)
        rest = [step for step in steps if step.name in changed]
        of_image = slice(None) if image is None else slice(image, image + 1)
        needed = {source for step in rest for source in step.inputs} - changed - {name}
        kept = {other: self.maps[other][of_image].expand(len(values), -1, -1, -1) for other in needed}
        maps, (fusion, classifier) = walk(rest, kept | {name: values}), self._head
        pooled = {
            term: maps.get(term, self.maps[term][of_image]).double().mean((2, 3)).expand(len(values), -1)
            for branch in self.network.fusion.branches
            for term in branch
        }
        logits: Tensor = classifier(fusion(pooled))
        return logits

    def gradients(self, name: str) -> Tensor:
        """Gradients of the classes' logits by a map: (B, K, C, h, w)."""
        if name not in self._gradients:
            point = self.maps[name].detach().requires_grad_()
            logits = self.of_classes(self.logits_from(self.branch_of(name), name, point))
            columns = logits.sum(0)  # images do not see each other
            found = [torch.autograd.grad(c, point, retain_graph=True)[0] for c in columns]
            self._gradients[name] = torch.stack(found, 1)
        return self._gradients[name]

    def once(self, make: Callable[["Observation"], Found]) -> Found:
        """What a function finds in this observation, worked out the first time."""
        if make not in self._found:
            self._found[make] = make(self)
        found: Found = self._found[make]
        return found
