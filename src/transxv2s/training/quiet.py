"""Lightning without the messages that would only worry a user."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.fabric.utilities.warnings import PossibleUserWarning

LOGGERS = "lightning.pytorch", "lightning.fabric"
HARMLESS = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # between Lightning and PyTorch
    r"Checkpoint directory .* exists and is not empty",  # it holds the recipe
)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps back tips and devices (logged as information) and the guesses that a user may have erred.

    Those guesses do not hold here: the number of workers is the recipe's choice, a short epoch is logged less
    often than every ten steps, and the sampler does resume in the middle of an epoch.
    """
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=PossibleUserWarning)
            for message in HARMLESS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
