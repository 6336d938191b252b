"""A comparison as a YAML file: one recipe, the rows that change it, and the seeds."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from transxv2s.errors import ConfigError
from transxv2s.files import read_yaml
from transxv2s.training.recipe import Recipe, load_recipe

Changes = dict[str, Any]


class Section(BaseModel):
    """A part of a plan: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Quoted(Section):
    """Figures published elsewhere, to stand beside ours; shares from 0 to 1, and the loss."""

    accuracy: float | None = None
    macro_f1: float | None = None
    macro_auc: float | None = None
    nll: float | None = None


class Published(Section):
    """A network of others, for the figure of accuracy against cost; on other images, by another protocol.

    Attributes:
        name: As the figure shows it.
        accuracy: Share from 0 to 1.
        parameters: Their number, where it was published.
        images_per_second: The same; on another machine.
    """

    name: str = Field(min_length=1)
    accuracy: float = Field(ge=0, le=1)
    parameters: int | None = Field(default=None, gt=0)
    images_per_second: float | None = Field(default=None, gt=0)


class Row(Section):
    """One line of the table.

    Attributes:
        name: As the table shows it.
        set: What it changes of the recipe, such as `network.variant: transxv2s_net`.
        quoted: What was published for it.
    """

    name: str = Field(min_length=1)
    set: Changes = {}
    quoted: Quoted | None = None


class Plan(Section):
    """What is trained and compared.

    Attributes:
        recipe: File of the recipe that all rows start from.
        set: What all rows change of it.
        seeds: Each row is trained once with each.
        reference: Differences are taken from the previous row (each adds one thing), from the first, or not.
        subset: The images that are scored: "validation" to choose by, "test" to report.
        rows: The lines of the table.
        source: Of the quoted figures.
        published: Networks of others; where there are some, the speed of ours is measured and drawn beside.
    """

    recipe: Path
    set: Changes = {}
    seeds: tuple[int, ...] = Field(default=(0, 1), min_length=1)
    reference: Literal["previous", "first", "none"] = "previous"
    subset: Literal["validation", "test"] = "test"
    rows: tuple[Row, ...] = Field(min_length=1)
    source: str = "quoted"
    published: tuple[Published, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({slug(row.name) for row in self.rows}) < len(self.rows):
            raise ValueError("two rows have the same name")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("two seeds are the same")
        return self

    def recipe_of(self, row: Row, seed: int) -> Recipe:
        """The recipe of one run.

        Raises:
            ConfigError: The recipe cannot be read, or a change does not fit it.
        """
        return load_recipe(self.recipe, _overrides({**self.set, **row.set, "seed": seed}))

    @property
    def budget(self) -> str:
        """What a run may spend, such as "8 epochs, at most 8,000 images, 96 px"; where rows differ, each."""
        budgets = (_budget(self.recipe_of(row, self.seeds[0])) for row in self.rows)
        return " or ".join(dict.fromkeys(budgets))

    def reference_of(self, place: int) -> int | None:
        """Place of the row that a row is compared with; None for the first, or for all."""
        if place == 0 or self.reference == "none":
            return None
        return 0 if self.reference == "first" else place - 1


def slug(name: str) -> str:
    """A row's name as a folder's: letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _budget(recipe: Recipe) -> str:
    length = f"{recipe.minutes:g} minutes" if recipe.minutes else f"{recipe.epochs} epochs"
    images = f"at most {recipe.data.limit:,} images" if recipe.data.limit else "all images"
    return f"{length}, {images}, {recipe.preprocessing.size} px"


def _overrides(changes: Mapping[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in changes.items()]


def load_plan(path: Path) -> Plan:
    """Reads a plan; the recipe's path is relative to the working folder.

    Raises:
        ConfigError: The file cannot be read, a key or value is wrong, or a row does not fit the recipe.
    """
    content = read_yaml(path, f"there is no plan {path}; configs/ablation holds some")
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the plan"
        raise ConfigError(f"{path}: {where}: {first['msg']}") from None
    for row in plan.rows:  # a fault in the last row shows now, not after hours
        plan.recipe_of(row, plan.seeds[0])
    return plan
