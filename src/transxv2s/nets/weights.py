"""ImageNet weights for the trunks, from local safetensors files with timm's key names."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from transxv2s.errors import WeightsUnavailableError


def load_trunk(trunk: nn.Module, path: Path) -> None:
    """Loads a trunk strictly; a 1000-class head in the file is left out.

    Raises:
        WeightsUnavailableError: The file is missing, damaged or of another network.
    """
    heads = ("fc.", "classifier.")
    try:
        state = {key: value for key, value in load_file(path).items() if not key.startswith(heads)}
    except (OSError, SafetensorError) as error:
        raise WeightsUnavailableError(
            f"{path} cannot be read as trunk weights ({error}): name another file, or null to start without, "
            "with network.pretrained=true where timm can fetch its own"
        ) from error
    try:
        trunk.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsUnavailableError(
            f"{path} does not fit the trunk {type(trunk).__name__}: use weights with timm's key names"
        ) from error
