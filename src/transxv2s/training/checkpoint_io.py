"""How Lightning's checkpoints reach the disk: whole or not at all."""

import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from transxv2s.errors import CheckpointError
from transxv2s.files import replacing


class WholeFiles(TorchCheckpointIO):
    """Writes beside the place, waits for the disk, then moves.

    Lightning's own writer holds the file twice in memory and goes by the system's temporary folder, from
    where a move to another disk is a copy that can be cut short.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Writes a checkpoint.

        Raises:
            OSError: It cannot be written; what was there before still is.
        """
        try:
            with replacing(Path(path)) as stream:
                torch.save(checkpoint, stream)
        except RuntimeError as error:  # torch says that the file is too short, not why
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Reads a checkpoint.

        Raises:
            CheckpointError: It is damaged.
        """
        try:
            content: dict[str, Any] = super().load_checkpoint(path, *args, **kwargs)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"{path} is damaged; remove it to start the run anew") from error
        return content
