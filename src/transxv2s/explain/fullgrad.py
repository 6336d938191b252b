"""FullGrad (Srinivas and Fleuret 2019), complete: input term and bias terms of all operations give the logit.

The map adds, at each position, the magnitudes of the terms of all channels and all operations. Terms that are
at no position (channel gates, pooled features, fusion, classifier) count towards completeness, not the map.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from transxv2s.explain.enlarging import enlarged
from transxv2s.explain.layouts import Layout, on_map
from transxv2s.explain.observation import Observation
from transxv2s.explain.tracing import Operation, Tracer
from transxv2s.explain.twin import twin
from transxv2s.nets.steps import IMAGE, Maps, Step, leading

HEAD = "head"  # the step of what comes after the last maps


@dataclass(frozen=True)
class Term:
    """What one operation's bias, or the image, adds to the logit.

    Attributes:
        step: The map that the operation works for, or HEAD; of the image, the first map.
        name: Name of the function, or "image".
        total: (B,), signed; over all terms they sum to the logit.
        magnitude: (B, h, w), the terms' magnitudes summed over channels; None where they are at no position.
    """

    step: str
    name: str
    total: Tensor
    magnitude: Tensor | None


def full_gradient(observation: Observation) -> list[list[Term]]:
    """For each of the K classes asked for, all terms, in the order of calculation."""
    network = twin(observation.network)  # the tracer leaves hooks
    branches, tracer, maps = network.branches().values(), Tracer(network), Maps()
    images = [observation.images.clone().requires_grad_() for _ in branches]
    with tracer:
        for steps, image in zip(branches, images, strict=True):
            maps |= _traced(steps, image, tracer)
        tracer.step = HEAD
        logits = observation.of_classes(network.forward_head(maps))
    seen = {steps[0].name: image for steps, image in zip(branches, images, strict=True)}
    return [_terms(column, seen, tracer.operations) for column in logits.sum(0)]


def _traced(steps: list[Step], image: Tensor, tracer: Tracer) -> Maps:
    maps = {IMAGE: image}
    for step in steps:
        tracer.step = step.name
        maps[step.name] = step.run(*(maps[name] for name in step.inputs))
    return maps


def _terms(logit: Tensor, images: dict[str, Tensor], operations: list[Operation]) -> list[Term]:
    """Every bias, and the image that each branch sees, times the logit's gradient by it."""
    points = [*images.values(), *(operation.output for operation in operations)]
    gradients = torch.autograd.grad(logit, points, retain_graph=True, materialize_grads=True)
    seen = [(step, "image", image.detach(), on_map) for step, image in images.items()]
    biases = [(o.step, o.name, o.bias, o.layout) for o in operations]
    return [
        _term(step, name, bias * gradient, layout)
        for (step, name, bias, layout), gradient in zip([*seen, *biases], gradients, strict=True)
    ]


def _term(step: str, name: str, entries: Tensor, layout: Layout) -> Term:
    return Term(step, name, entries.flatten(1).sum(1), layout(entries.abs()))


def fullgrad(observation: Observation, name: str) -> Tensor:
    """Map (B, K, H, W) in the size of the image, ≥ 0: the terms of all operations that lead to a map."""
    steps = leading(observation.branch_of(name), name)
    classes = observation.once(full_gradient)
    maps = [_map((t for t in terms if t.step in steps), observation.images.shape[2:]) for terms in classes]
    return torch.stack(maps, 1)


def _map(terms: Iterable[Term], size: torch.Size) -> Tensor:
    """Magnitudes added in the size of the image (B, H, W); enlarging keeps their sum."""
    by_size: dict[torch.Size, Tensor] = {}
    for term in terms:
        if term.magnitude is not None:
            shape = term.magnitude.shape[1:]
            by_size[shape] = by_size.get(shape, torch.zeros_like(term.magnitude)) + term.magnitude
    grown = [enlarged(magnitude.unsqueeze(1), size) for magnitude in by_size.values()]
    return torch.cat(grown, 1).sum(1)
