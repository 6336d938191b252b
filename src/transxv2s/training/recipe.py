"""The recipe of a training run: a typed, validated YAML file in which every key is known."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from transxv2s.errors import ConfigError, InputError
from transxv2s.files import read_yaml
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.nets import check_variant
from transxv2s.taxonomy import Behaviour
from transxv2s.training.losses import AnyLoss, CrossEntropy


class Section(BaseModel):
    """A part of a recipe: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Table(Section):
    """How a data set without a publisher's layout is read (`table`; `folder` takes the last three).

    Attributes:
        file: The CSV file; without it the only one in the folder.
        columns: Column of image, label, lesion, source, age, sex, site, where it has not the usual name.
        labels: Code by label, "-" for images to be left out; without it labels are codes or English names.
        taxonomy: "isic2019", "isic2018", "nevus-melanoma", or "own": every label, or code, is a class.
        behaviours: Of own classes by code; one of which nothing is said always needs an expert.
    """

    file: Path | None = None
    columns: dict[Literal["image", "label", "lesion", "source", "age", "sex", "site"], str] = {}
    labels: dict[str, str] | None = None
    taxonomy: str | None = None
    behaviours: dict[str, Behaviour] = {}


class Data(Section):
    """Which images, and how they are split.

    Attributes:
        dataset: A data set by the name that all commands know, see docs/data.md.
        root: Its folder.
        table: For `table` and `folder`.
        ham10000: Folder of HAM10000; its larger files then replace those of the same images.
        split: Split file; it is made there, tearing neither lesions nor copies, if it does not exist.
        fold: Test on this fold and validate on the next, for cross-validation; the file's subsets without it.
        leaky: Declares that the split leaks, for comparison with published numbers; every output says so.
        store: Folder for the preprocessed images.
        limit: Use only this many images of each subset, evenly spaced, for a trial.
    """

    dataset: str
    root: Path
    table: Table = Table()
    ham10000: Path | None = None
    split: Path
    fold: int | None = Field(default=None, ge=0)
    leaky: bool = False
    store: Path = Path(".data/store")
    limit: int | None = Field(default=None, ge=1)


class Network(Section):
    """Which network, and with what weights it starts.

    Attributes:
        variant: A row of the ablation, see `transxv2s info`, or `timm/NAME` for a baseline.
        dropout: Before the classifier.
        pretrained: Let timm fetch its ImageNet weights for both trunks (needs a network connection).
        xception_weights: Local safetensors file for the Xception trunk instead.
        checkpoint: Checkpoint directory to start from instead, for fine-tuning; see `start`.
        drop_path: Chance that the last residual block of each trunk is skipped for an image, rising linearly
            from 0 with depth (stochastic depth, Huang et al. 2016).
    """

    variant: str = "transxv2s_net"
    dropout: float = Field(default=0.3, ge=0, lt=1)
    pretrained: bool = False
    xception_weights: Path | None = None
    checkpoint: Path | None = None
    drop_path: float = Field(default=0.0, ge=0, lt=1)


class Augmentation(Section):
    """Random changes of the training images; all off by default.

    Attributes:
        dihedral: Flips and quarter turns.
        rotation: Turns by up to so many degrees either way; corners are filled by reflection.
        min_area: Random crops keep at least this share of the area; 1 is no crop.
        colour_jitter: Strength of brightness, contrast and saturation changes (a tenth of it for hue).
        rand_augment: RandAugment's magnitude (Cubuk et al. 2020), two changes an image, 0..10; 0 is off.
        resolution_jitter: Probability that an image is first shrunk, as if it came from a smaller file.
        smallest_share: Resolution jitter shrinks down to this share of the side.
        jpeg_quality: Images are compressed again with a quality between this one and 100; 100 is off.
        mixup: α of the Beta distribution in which two images are blended (Zhang et al. 2018); 0 is off.
        cutmix: α for the share of an image that another one covers (Yun et al. 2019); 0 is off. With both,
            each batch draws one of them.
        mix_probability: Share of the batches that are mixed.
    """

    dihedral: bool = False
    rotation: float = Field(default=0.0, ge=0, le=180)
    min_area: float = Field(default=1.0, gt=0, le=1)
    colour_jitter: float = Field(default=0.0, ge=0, le=1)
    rand_augment: int = Field(default=0, ge=0, le=10)
    resolution_jitter: float = Field(default=0.0, ge=0, le=1)
    smallest_share: float = Field(default=0.5, ge=0.1, le=1)
    jpeg_quality: int = Field(default=100, ge=1, le=100)
    mixup: float = Field(default=0.0, ge=0)
    cutmix: float = Field(default=0.0, ge=0)
    mix_probability: float = Field(default=1.0, ge=0, le=1)


class Optimizer(Section):
    """Optimiser and its rates.

    Attributes:
        name: "adamax" (the article) or "adamw".
        learning_rate: Peak rate.
        dcgan_factor: The DCGAN parameters learn at this fraction of it.
        pretrained_factor: What was loaded (trunks, or a checkpoint) learns at this fraction of it.
        weight_decay: Strength of the decay.
        gradient_clip: Largest norm of the whole gradient; null is no limit.
    """

    name: Literal["adamax", "adamw"] = "adamax"
    learning_rate: float = Field(default=1e-3, gt=0)
    dcgan_factor: float = Field(default=0.1, gt=0)
    pretrained_factor: float = Field(default=1.0, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    gradient_clip: float | None = Field(default=None, gt=0)


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


class Averaging(Section):
    """Exponential moving average of the weights and of the statistics of batch normalisation.

    Attributes:
        decay: Share of the average that a step keeps, once there are steps enough.
    """

    decay: float = Field(default=0.999, gt=0, lt=1)


class Hardware(Section):
    """What a run trains on; Lightning's own terms.

    Attributes:
        accelerator: "auto" takes a graphics card where there is one.
        devices: Devices of each machine, each with its own `batch_size`.
        nodes: Machines.
        strategy: "ddp" keeps a copy of the network on every device; "auto" is "ddp" as soon as there is more
            than one device.
        sync_batchnorm: Batch normalisation over all devices (graphics cards only).
        accumulate: Batches whose gradients are summed up before a step.
    """

    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    devices: int = Field(default=1, ge=1)
    nodes: int = Field(default=1, ge=1)
    strategy: Literal["auto", "ddp"] = "auto"
    sync_batchnorm: bool = False
    accumulate: int = Field(default=1, ge=1)


class Recipe(Section):
    """Everything that a training run needs to know.

    Attributes:
        sampling: How often classes are drawn: as they are, by the square root of their size, or all alike.
        loss: Told by its key `name`, see `losses`.
        averaging: Validate, choose and publish a running average of the weights; null is off.
        publish: The "best" epoch by validation balanced accuracy, or the "last" weights. The best of many
            epochs is the luckiest one, too; where the rate falls to 0 on schedule, the end is what it led to.
        early_stopping: Epochs without a better validation balanced accuracy before the run stops.
        epochs: Length of the run, unless `minutes` is given.
        minutes: Fit for so long instead; rate and image size then follow the clock (budgeted training, Li et
            al. 2020).
        small_size: Side in pixels of the images in the first `small_share` of the run (EfficientNetV2's
            progressive resizing); afterwards the size of the preprocessing.
        precision: "auto" is "bf16-mixed" where the hardware computes in bfloat16, else "32-true".
        checkpoint_minutes: How often a run that may be killed saves where it is.
    """

    data: Data
    preprocessing: Preprocessing = Preprocessing()
    network: Network = Network()
    augmentation: Augmentation = Augmentation()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    hardware: Hardware = Hardware()
    sampling: Literal["none", "square_root", "balanced"] = "none"
    loss: AnyLoss = CrossEntropy()
    averaging: Averaging | None = None
    epochs: int = Field(default=25, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    batch_size: int = Field(default=16, ge=2)
    small_size: int = Field(default=96, ge=64)
    small_share: float = Field(default=0.0, ge=0, le=1)
    publish: Literal["best", "last"] = "best"
    early_stopping: int | None = Field(default=3, ge=1)
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    workers: int = Field(default=2, ge=0)
    checkpoint_minutes: float = Field(default=5, gt=0)
    seed: int = 0

    @field_validator("small_share")
    @classmethod
    def _small_is_smaller(cls, share: float, others: ValidationInfo) -> float:
        known = others.data
        if share and {"preprocessing", "small_size"} <= known.keys():  # else they are wrong themselves
            small, size = known["small_size"], known["preprocessing"].size
            if small >= size:
                raise PydanticCustomError(
                    "small_size",
                    "small_size ({small}) must be less than preprocessing.size ({size}): lower it, or set "
                    "small_share to 0",
                    {"small": small, "size": size},
                )
        return share


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe; relative paths in it are relative to the working folder.

    Args:
        path: The YAML file.
        overrides: Changes such as "optimizer.learning_rate=1e-4", with values as in YAML.

    Raises:
        ConfigError: The file cannot be read, or a key or value is wrong.
    """
    content = read_yaml(path, f"there is no configuration file {path}")
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold keys and values, as in configs/paper.yaml")
    for override in overrides:
        _override(content, override)
    named = {override.partition("=")[0] for override in overrides}
    if "epochs" in named and "minutes" not in named and content.get("minutes"):
        raise ConfigError(
            f"{path} trains for {content['minutes']} minutes, whatever epochs is: set minutes=null too"
        )
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error, content)}") from None
    try:
        check_variant(recipe.network.variant)
    except InputError as error:
        raise ConfigError(f"{path}: network.variant: {error}") from None
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


def _known_keys(location: Sequence[str | int], content: Any) -> list[str]:
    model: Any = Recipe
    for part in location:
        field, content = model.model_fields.get(part), content[part]
        kinds = getattr(field.annotation, "__args__", (field.annotation,)) if field else ()
        models = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if field is None or not models:
            return []
        chosen = content.get(field.discriminator)  # of a union, such as the losses by their name
        model = next(
            (m for m in models if chosen and m.model_fields[field.discriminator].default == chosen), models[0]
        )
    return list(model.model_fields)


def _explain(error: ValidationError, content: Any) -> str:
    """One sentence for the first problem; for an unknown key the nearest known one."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}"
    known = _known_keys(first["loc"][:-1], content)
    near = difflib.get_close_matches(str(first["loc"][-1]), known, 1, cutoff=0.0)
    hint = f"did you mean {near[0]}? known are {', '.join(known)}" if near else "remove it"
    return f"unknown key {key}: {hint}"
