"""What hair removal can be told."""

from pydantic import BaseModel, ConfigDict, Field


class HairRemoval(BaseModel):
    """Parameters of hair removal; lengths are shares of the image's short side.

    The defaults were chosen on development images of benchmarks/hair.py, which says what else was looked at.

    Attributes:
        min_side: Images with a shorter short side are left alone: their hairs are thinner than half a pixel.
        max_width: Widest hair.
        contrast: How much a hair stands out, in units of the grain of the skin around it.
        straight: A hair is nearly straight over this length.
        min_length: Shortest hair that stands out clearly, with the 0.035 that averaging along it adds; a
            fainter one has to be longer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_side: int = Field(default=150, ge=1)
    max_width: float = Field(default=0.02, gt=0, lt=0.2)
    contrast: float = Field(default=2.9, gt=0)
    straight: float = Field(default=0.08, gt=0, lt=1)
    min_length: float = Field(default=0.1, gt=0)
