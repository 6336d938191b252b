"""Parameter randomisation (Adebayo et al. 2018): a map of a network that knows nothing must be another map.

From the classifier down to the image, stage after stage loses what it learned. The entries of each parameter
are shuffled, so that it keeps its distribution and nothing else. A method whose maps stay the same shows the
image, not the network.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from transxv2s.explain.twin import AnyModule, twin

# stage → modules, from the top; each takes with it all that lies under the name; "" is all that is left
STAGES: Mapping[str, Sequence[str]] = {
    "classifier": ("classifier", "fusion"),
    "exit": (
        "effswin.trunk.conv_head",
        "effswin.trunk.bn2",
        "effswin.trunk.blocks.5",
        "xceptmod.trunk.block12",
        "xceptmod.trunk.conv3",
        "xceptmod.trunk.bn3",
        "xceptmod.trunk.conv4",
        "xceptmod.trunk.bn4",
    ),
    "middle": (
        "effswin.trunk.blocks.4",
        "effswin.trunk.blocks.3",
        "effswin.swin",
        "effswin.merge",
        *(f"xceptmod.trunk.block{number}" for number in range(4, 12)),
        *(f"xceptmod.dcgan.{number}" for number in range(4, 12)),
    ),
    "all": ("",),
}


def cascade(
    network: AnyModule, stages: Mapping[str, Sequence[str]] = STAGES, seed: int = 0
) -> dict[str, AnyModule]:
    """For each stage a network in which that stage and all before it are random; the network stays as it is.

    What is not random yet is shared with the network, so all of them together take as much memory as one.
    """
    random, networks, done = torch.Generator().manual_seed(seed), dict[str, AnyModule](), set[str]()
    for stage, prefixes in stages.items():
        network = twin(network)
        for name, module, own in list(_parameters(network)):
            if name not in done and any(_under(name, prefix) for prefix in prefixes):
                module._parameters[own] = shuffled(module._parameters[own], random)  # type: ignore[arg-type, assignment]
                done.add(name)
        networks[stage] = network
    return networks


def _parameters(network: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Name of each parameter, the module that holds it and its name there."""
    for prefix, module in network.named_modules():
        for own, value in module._parameters.items():
            if value is not None:
                yield f"{prefix}.{own}", module, own


def _under(name: str, prefix: str) -> bool:
    return not prefix or name.startswith(prefix + ".")


def shuffled(parameter: Tensor, random: torch.Generator) -> Tensor:
    """The same entries in random order."""
    order = torch.randperm(parameter.numel(), generator=random).to(parameter.device)
    return parameter.detach().flatten()[order].view_as(parameter)
