"""A private twin of a network, so that explaining leaves no trace on the network itself."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def twin(module: AnyModule) -> AnyModule:
    """The same network with modules of its own: evaluation mode, no hooks, no gradients for its weights.

    The weights are the same memory. Whatever mode the network is in, and whichever thread changes it, nothing
    has to be changed on it and so nothing has to be restored. Weights that change while a map is made, as in
    training, change under the twin as well: explain a copy of such a network.
    """
    copy = module.__new__(type(module))
    attributes = dict(module.__dict__)
    attributes |= {name: OrderedDict() for name in attributes if "_hooks" in name}
    attributes["training"] = False
    attributes["_parameters"] = {n: p if p is None else p.detach() for n, p in module._parameters.items()}
    attributes["_buffers"] = dict(module._buffers)
    attributes["_modules"] = {n: m if m is None else twin(m) for n, m in module._modules.items()}
    copy.__dict__ = attributes
    return copy


@contextmanager
def own_modes(device: torch.device) -> Iterator[None]:
    """Gradients can be taken here, whatever inference mode or autocast the caller is in (of this thread)."""
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
    ):
        yield
