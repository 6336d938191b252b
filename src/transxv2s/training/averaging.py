"""Exponential moving average of the weights, with timm's implementation.

Lightning's EMAWeightAveraging averages integers too, which moves the entries of index tables, and hands a
prediction from `best.ckpt` the weights that were not averaged. timm's is a module: as a part of the task it
is saved, resumed and moved between devices like any other.
"""

from timm.utils import ModelEmaV3
from torch import nn

from transxv2s.training.recipe import Averaging

EVERY = 4  # steps between two updates; one reads and writes all weights, which takes 1.5 % of a step of 32
WARMUP = (
    10.0  # after n steps the average keeps at most n / (10 + n) a step, so that the start is soon forgotten
)


class Average(ModelEmaV3):
    """Running average of a network's parameters and floating buffers; other buffers are copied.

    Until its second update it is the network as it was at its first, or before training.

    Args:
        network: What to average.
        averaging: How.
    """

    def __init__(self, network: nn.Module, averaging: Averaging) -> None:
        decay = averaging.decay**EVERY
        super().__init__(network, decay, use_warmup=True, warmup_gamma=WARMUP / EVERY, warmup_power=1.0)
        self.requires_grad_(False)

    def after(self, step: int, network: nn.Module) -> None:
        """Takes in the weights that a network has after so many steps, every few steps."""
        if step % EVERY == 0:
            self.update(network, step // EVERY)
