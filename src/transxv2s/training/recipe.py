"""The recipe of a training run: a typed, validated YAML file in which every key is known."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from transxv2s.errors import ConfigError
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.nets import VARIANTS


class Section(BaseModel):
    """A part of a recipe: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Section):
    """Which images, and how they are split.

    Attributes:
        isic2019: Folder of the ISIC 2019 training set as its publisher lays it out.
        ham10000: Folder of HAM10000; its larger files then replace those of the same images.
        split: Split file; it is made there, tearing neither lesions nor copies, if it does not exist.
        fold: Test on this fold and validate on the next, for cross-validation; the file's subsets without it.
        leaky: Declares that the split leaks, for comparison with published numbers; every output says so.
        store: Folder for the preprocessed images.
        limit: Use only this many images of each subset, evenly spaced, for a trial.
    """

    isic2019: Path
    ham10000: Path | None = None
    split: Path
    fold: int | None = Field(default=None, ge=0)
    leaky: bool = False
    store: Path = Path(".data/store")
    limit: int | None = Field(default=None, ge=1)


class Network(Section):
    """Which network, and with what weights it starts.

    Attributes:
        variant: A row of the ablation, see `transxv2s info`.
        dropout: Before the classifier.
        pretrained: Let timm fetch its ImageNet weights for both trunks (needs a network connection).
        xception_weights: Local safetensors file for the Xception trunk instead.
    """

    variant: str = "transxv2s_net"
    dropout: float = Field(default=0.3, ge=0, lt=1)
    pretrained: bool = False
    xception_weights: Path | None = None


class Augmentation(Section):
    """Random changes of the training images; all off by default.

    Attributes:
        dihedral: Flips and quarter turns.
        min_area: Random crops keep at least this share of the area; 1 is no crop.
        colour_jitter: Strength of brightness, contrast and saturation changes (a tenth of it for hue).
        resolution_jitter: Probability that an image is first shrunk, as if it came from a smaller file.
    """

    dihedral: bool = False
    min_area: float = Field(default=1.0, gt=0, le=1)
    colour_jitter: float = Field(default=0.0, ge=0, le=1)
    resolution_jitter: float = Field(default=0.0, ge=0, le=1)


class Optimizer(Section):
    """Optimiser and its rates.

    Attributes:
        name: "adamax" (the article) or "adamw".
        learning_rate: Peak rate.
        dcgan_factor: The DCGAN parameters learn at this fraction of it.
        weight_decay: Strength of the decay.
    """

    name: Literal["adamax", "adamw"] = "adamax"
    learning_rate: float = Field(default=1e-3, gt=0)
    dcgan_factor: float = Field(default=0.1, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)


class Schedule(Section):
    """How the learning rate changes.

    Attributes:
        name: "plateau" (the article: on the validation loss) or "one_cycle" (cosine up and down, each step).
        factor: Plateau: multiplies the rate.
        patience: Plateau: epochs without improvement before that.
        warmup: One-cycle: share of the run in which the rate rises.
    """

    name: Literal["plateau", "one_cycle"] = "plateau"
    factor: float = Field(default=0.5, gt=0, lt=1)
    patience: int = Field(default=1, ge=0)
    warmup: float = Field(default=0.2, gt=0, lt=1)


class Recipe(Section):
    """Everything that a training run needs to know.

    Attributes:
        sampling: How often classes are drawn: as they are, by the square root of their size, or all alike.
        class_weights: Weigh the loss by inverse class frequency.
        early_stopping: Epochs without a better validation balanced accuracy before the run stops.
        epochs: Length of the run, unless `minutes` is given.
        minutes: Fit for so long instead; rate and image size then follow the clock (budgeted training, Li et
            al. 2020).
        small_size: Side in pixels of the images in the first `small_share` of the run (EfficientNetV2's
            progressive resizing); afterwards the size of the preprocessing.
        checkpoint_minutes: How often a run that may be killed saves where it is.
    """

    data: Data
    preprocessing: Preprocessing = Preprocessing()
    network: Network = Network()
    augmentation: Augmentation = Augmentation()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    sampling: Literal["none", "square_root", "balanced"] = "none"
    class_weights: bool = False
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    epochs: int = Field(default=25, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    batch_size: int = Field(default=16, ge=2)
    small_size: int = Field(default=96, ge=64)
    small_share: float = Field(default=0.0, ge=0, le=1)
    early_stopping: int | None = Field(default=3, ge=1)
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    workers: int = Field(default=2, ge=0)
    checkpoint_minutes: float = Field(default=5, gt=0)
    seed: int = 0


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe; relative paths in it are relative to the working folder.

    Args:
        path: The YAML file.
        overrides: Changes such as "optimizer.learning_rate=1e-4", with values as in YAML.

    Raises:
        ConfigError: The file cannot be read, or a key or value is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not a readable YAML file: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold keys and values, as in configs/paper.yaml")
    for override in overrides:
        _override(content, override)
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from None
    if recipe.network.variant not in VARIANTS:
        raise ConfigError(f"{path}: network.variant must be one of {', '.join(VARIANTS)}")
    return recipe


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise ConfigError(
            f"{override!r} is not of the form key=value, for example optimizer.learning_rate=1e-4"
        )
    *sections, name = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise ConfigError(f"{override!r}: {section} is not a section")
    try:
        content[name] = _scalar(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{override!r}: the value is not valid YAML") from error


def _scalar(text: str) -> Any:
    """A YAML value; unlike YAML 1.1, 1e-4 is a number."""
    try:
        return float(text) if "e" in text.lower() else yaml.safe_load(text)
    except ValueError:
        return yaml.safe_load(text)


def _known_keys(location: Sequence[str | int]) -> list[str]:
    model: Any = Recipe
    for part in location:
        field = model.model_fields.get(part)
        kinds = getattr(field.annotation, "__args__", (field.annotation,)) if field else ()
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)


def _explain(error: ValidationError) -> str:
    """One sentence for the first problem; for an unknown key the nearest known one."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}"
    known = _known_keys(first["loc"][:-1])
    near = difflib.get_close_matches(str(first["loc"][-1]), known, 1, cutoff=0.0)
    hint = f"did you mean {near[0]}? known are {', '.join(known)}" if near else "remove it"
    return f"unknown key {key}: {hint}"
