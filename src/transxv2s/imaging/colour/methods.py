"""The choice of a colour method in configurations: a union told apart by the key `method`."""

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from transxv2s.imaging.colour.filters import CLAHE, Wiener
from transxv2s.imaging.colour.gwsd import GWSD
from transxv2s.imaging.colour.illuminant import GrayWorld, MaxRGB, ShadesOfGray
from transxv2s.imaging.colour.images import Method

METHODS: Final[dict[str, type[Method]]] = {
    "gwsd": GWSD,
    "gray_world": GrayWorld,
    "shades_of_gray": ShadesOfGray,
    "max_rgb": MaxRGB,
    "clahe": CLAHE,
    "wiener": Wiener,
}


def by_method(value: Any) -> Any:
    """The method that a mapping describes; one without the key `method` is GWSD, as it was at first.

    Validated here and not by the union alone, so that errors name keys as they are written.
    """
    if not isinstance(value, dict):
        return value
    name = value.get("method", "gwsd")
    if not isinstance(name, str) or name not in METHODS:
        raise PydanticCustomError(
            "colour_method", "method must be one of {known}", {"known": ", ".join(METHODS)}
        )
    return METHODS[name].model_validate(value)


Colour = Annotated[
    GWSD | GrayWorld | ShadesOfGray | MaxRGB | CLAHE | Wiener | None,
    Field(discriminator="method"),
    BeforeValidator(by_method),
]
