"""The bias of every operation of a network at one point: y − J·u, for FullGrad (Srinivas and Fleuret 2019).

An operation y = g(u) is, at the point u, the affine map J·u + (y − J·u). The second term is its bias: the
bias vector of a convolution or a linear layer, all that a normalisation or an activation adds, minus once the
product of two activations (attention, gates), nothing where g is positively homogeneous (rectifier, maximum,
top-k, any linear map). Operations are those of PyTorch's functions, seen as they are called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from transxv2s.explain.layouts import Layout, OnTokens, layout_within, on_map
from transxv2s.nets.dcgan import AdaptiveSampling

# without any bias; the rule below gives 0 for them too, in more time
HOMOGENEOUS = {"relu", "max_pool2d", "amax", "mean", "sum", "pad", "cat", "stack", "gather", "__getitem__"}
HOMOGENEOUS |= {"flatten", "reshape", "view", "transpose", "permute", "squeeze", "unsqueeze", "roll", "to"}
SUMS = {"add"}  # without bias if every summand depends on the image
PRODUCTS = {"mul", "div", "matmul", "conv2d", "linear"}  # without bias if one factor does

ONE_AT_A_TIME = Lock()  # PyTorch counts the levels of forward derivatives over all threads


@dataclass(frozen=True)
class Operation:
    """One operation with a bias.

    Attributes:
        step: What the tracer was told it works for.
        name: Of the function.
        output: y, in the graph.
        bias: y − J·u, of the same shape.
        layout: Where its entries lie.
    """

    step: str
    name: str
    output: Tensor
    bias: Tensor
    layout: Layout


class Tracer(TorchFunctionMode):
    """Collects the operations that are called while it is entered.

    Args:
        network: A twin, which gets hooks that tell how tensors are laid out.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.step = ""
        self._layouts: list[Layout] = [on_map]
        for module in network.modules():
            module.register_forward_pre_hook(self._enter)
            module.register_forward_hook(self._leave)

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._layouts.append((inputs and layout_within(module, inputs[0])) or self._layouts[-1])

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        layout = self._layouts.pop()
        if isinstance(module, AdaptiveSampling) and isinstance(layout, OnTokens):
            layout.chosen = output.indices

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is F.scaled_dot_product_attention:
            with self:
                return _attention(*args, **kwargs)
        if kwargs.get("inplace"):
            kwargs["inplace"] = False  # a bias is taken at the operands as they were
        if func is torch.Tensor.add_:
            func = torch.Tensor.add
        out = func(*args, **kwargs)
        if isinstance(out, Tensor) and out.requires_grad and not _has_no_bias(func.__name__, args, kwargs):
            bias = implicit_bias(func, args, kwargs, out)
            self.operations.append(Operation(self.step, func.__name__, out, bias, self._layouts[-1]))
        return out


def _attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor) -> Tensor:
    """Scaled dot-product attention in single operations."""
    scores = torch.matmul(q, k.transpose(-2, -1)) / q.shape[-1] ** 0.5
    return torch.matmul((scores + attn_mask).softmax(-1), v)


def _has_no_bias(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
    active = sum(tensor.requires_grad for tensor in tensors)
    if name in SUMS:
        return active == 2
    if name in PRODUCTS:  # a third tensor is the bias of a layer
        return active == 1 and tensors[0].requires_grad and len(tensors) < 3
    return name in HOMOGENEOUS


def implicit_bias(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor
) -> Tensor:
    """The bias y − J·u of one call, u being all its tensors that depend on the image.

    Minus infinity (where attention is forbidden, around a maximum) has no gradient: it counts as 0.
    """
    leaves, form = tree_flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.requires_grad]
    point = tuple(leaves[i].detach() for i in places)

    def function(*values: Tensor) -> Any:
        filled = dict(enumerate(leaves)) | dict(zip(places, values, strict=True))
        positional, named = tree_unflatten([filled[i] for i in range(len(leaves))], form)
        return func(*positional, **named)

    with ONE_AT_A_TIME:
        slope = torch.func.jvp(function, point, tuple(u.masked_fill(u.isinf(), 0) for u in point))[1]
    bias: Tensor = (out.detach() - slope).masked_fill(out.isinf(), 0)
    return bias
