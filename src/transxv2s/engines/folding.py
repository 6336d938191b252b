"""Batch normalisations that a convolution can do by itself: w' = w·γ/√(σ² + ε), b' = β − μ·γ/√(σ² + ε)."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

EXAMPLE = (1, 3, 64, 64)  # the smallest image that the networks take


def fold_batch_norms(network: nn.Module) -> None:
    """Fold, in place, every batch normalisation whose input is what a convolution gives.

    What follows what is read off a forward pass. Activations that timm keeps inside the normalisation stay.

    Args:
        network: In evaluation mode, float32, on the CPU.
    """
    for norm_name, conv_name in _followers(network).items():
        norm, conv = network.get_submodule(norm_name), network.get_submodule(conv_name)
        folded = fuse_conv_bn_eval(conv, norm)  # type: ignore[type-var, arg-type]
        conv.weight, conv.bias = folded.weight, folded.bias
        network.set_submodule(norm_name, _what_stays(norm))


def _what_stays(norm: nn.Module) -> nn.Module:
    activation = getattr(norm, "act", None)
    return activation if isinstance(activation, nn.Module) else nn.Identity()


def _followers(network: nn.Module) -> dict[str, str]:
    """Convolution by the batch normalisation that reads its output."""
    made: list[tuple[Tensor, str]] = []  # holds the outputs, so that none gives way to another
    found: dict[str, str] = {}
    hooks = []

    def watch(name: str, module: nn.Module) -> None:
        def after(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            made.append((output, name))

        def before(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if made and made[-1][0] is inputs[0]:
                found[name] = made[-1][1]

        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(after))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(before))

    for name, module in network.named_modules():
        watch(name, module)
    try:
        with torch.no_grad():
            network(torch.zeros(EXAMPLE))
    finally:
        for hook in hooks:
            hook.remove()
    return found
