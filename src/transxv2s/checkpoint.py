"""The checkpoint directory: config.json beside safetensors, written whole or not at all, read with suspicion.

The layout follows the Hugging Face Hub: `model.safetensors`, or shards with `model.safetensors.index.json`.
Nothing here pickles: a pickle runs the code it carries.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from transxv2s.errors import CheckpointError, InputError
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.taxonomy import ISIC2019, KNOWN, OWN, TAXONOMIES, DiagnosticClass, Taxonomy
from transxv2s.trust.judgement import Judge, Trust
from transxv2s.trust.novelty import NOVELTY_FILE, NoveltyScore, from_bytes, to_bytes

FORMAT: Final = "transxv2s-checkpoint"
FORMAT_VERSION: Final = 2
CONFIG_FILE = "config.json"
INDEX_FILE = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
SEEN_IMAGES_FILE = "seen_images.npz"
OWN_FILES = (CONFIG_FILE, INDEX_FILE, "model*.safetensors", SEEN_IMAGES_FILE, NOVELTY_FILE)

WeightFile = Annotated[str, Field(pattern=r"^model(-\d{5}-of-\d{5})?\.safetensors$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Header(BaseModel):
    """What tells our checkpoints, of any version, from other people's config.json."""

    format: str
    format_version: int


class CheckpointConfig(BaseModel):
    """config.json: all that prediction needs besides the weights, and where they come from.

    Attributes:
        format: Constant that marks our checkpoints.
        format_version: Raised when older programs could misread a checkpoint.
        variant: Network variant, as `nets.create` knows it.
        taxonomy: Name of the taxonomy; "own" for classes that the training data brought with them.
        classes: Its codes, in the order of the logits.
        own_classes: Those of them that no taxonomy of ours knows.
        preprocessing: The way from RGB to the square the network sees.
        trust: Calibration, prediction sets, novelty, referral policy; None before calibration.
        training: Protocol: recipe, seed, digests of data and split, machine, duration.
        metrics: Metrics with the split they were taken on.
        weights: Weight file → sha256; filled in by `write_checkpoint`.
        seen_images: The sha256 of seen_images.npz, which tells what the network was trained, validated and
            calibrated on; None where that is not told. Filled in by `write_checkpoint`.
        novelty: The sha256 of novelty.safetensors, if there is one. Filled in by `write_checkpoint`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["transxv2s-checkpoint"] = FORMAT
    format_version: Literal[2] = FORMAT_VERSION
    variant: str
    taxonomy: str = ISIC2019.name
    classes: list[str] = Field(default_factory=lambda: list(ISIC2019.codes))
    own_classes: list[DiagnosticClass] = Field(default_factory=list)
    preprocessing: Preprocessing
    trust: Trust | None = None
    training: dict[str, JsonValue] = Field(default_factory=dict)
    metrics: dict[str, JsonValue] = Field(default_factory=dict)
    weights: dict[WeightFile, Sha256] = Field(default_factory=dict)
    seen_images: Sha256 | None = None
    novelty: Sha256 | None = None

    @model_validator(mode="after")
    def _classes_are_the_taxonomy(self) -> Self:
        must_be = "taxonomy and classes must be"
        if known := TAXONOMIES.get(self.taxonomy):
            if self.classes != list(known.codes) or self.own_classes:
                raise ValueError(f"{must_be} {known.name}: {', '.join(known.codes)}")
        elif self.taxonomy != OWN:
            raise ValueError(f"{must_be} one of {', '.join(TAXONOMIES)}, or {OWN}")
        elif len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"{must_be} {OWN} and two or more different codes")
        elif {c.code for c in self.own_classes} != set(self.classes) - KNOWN.keys():
            raise ValueError(f"{must_be} described: own_classes must name each code that is not known")
        return self

    def to_taxonomy(self) -> Taxonomy:
        """The classes with their names and behaviours, in the order of the logits."""
        described = KNOWN | {c.code: c for c in self.own_classes}
        own = Taxonomy(self.taxonomy, tuple(described[code] for code in self.classes))
        return TAXONOMIES.get(self.taxonomy, own)


def described(taxonomy: Taxonomy) -> dict[str, Any]:
    """The fields of a config that tell its classes; `to_taxonomy` reads them."""
    return {
        "taxonomy": taxonomy.name,
        "classes": list(taxonomy.codes),
        "own_classes": [c for c in taxonomy.classes if c.code not in KNOWN],
    }


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        config: Its config.json.
        make_model: Gives the network; see `model`.
        digest: First 12 hexadecimal digits of the sha256 of config.json, which holds the weights' own.
        directory: Where it was read from; None for one that was put together in memory.
        novelty: The score that `config.trust.novelty` is the threshold of.
    """

    config: CheckpointConfig
    make_model: Callable[[], nn.Module]
    digest: str
    directory: Path | None = None
    novelty: NoveltyScore | None = None

    @cached_property
    def model(self) -> nn.Module:
        """The network with its weights, float32, in evaluation mode, on the CPU.

        Of a checkpoint that was opened only, its weights are read here, for the first time.

        Raises:
            CheckpointError: A weight file is missing or damaged.
        """
        return self.make_model()

    def judge(self) -> Judge | None:
        """What turns the network's output into findings; None before calibration."""
        if self.config.trust is None:
            return None
        return Judge(self.config.trust, self.config.to_taxonomy(), self.novelty)


def write_checkpoint(
    directory: str | Path,
    model: nn.Module,
    config: CheckpointConfig,
    *,
    half: bool = False,
    max_shard_size: str = "48MB",
    seen_images: bytes | None = None,
    novelty: NoveltyScore | None = None,
) -> str:
    """Write a checkpoint beside its place and move it there whole.

    A checkpoint already there is replaced; files of others in the same directory (a README, a licence) stay.

    Args:
        directory: Where it goes; parents are made.
        model: Network of `config.variant`.
        config: Its `weights` are filled in here.
        half: Store floating parameters as float16; buffers (batch-norm statistics, indices) keep their type.
        max_shard_size: Largest weight file, such as "48MB".
        seen_images: Content of seen_images.npz, see `datasets.provenance`.
        novelty: The score that `config.trust.novelty` is the threshold of.

    Returns:
        The digest of the checkpoint.

    Raises:
        CheckpointError: A weight is not finite in the stored type, or the directory cannot be written.
    """
    state = _stored_state(model, half)
    with _replacing(directory) as folder:
        facts: dict[str, Any] = {"weights": _write_weights(folder, state, max_shard_size)}
        facts["seen_images"] = _write_own(folder, SEEN_IMAGES_FILE, seen_images)
        facts["novelty"] = _write_own(folder, NOVELTY_FILE, None if novelty is None else to_bytes(novelty))
        return _write_config(folder, config.model_copy(update=facts))


def with_trust(
    checkpoint: Checkpoint,
    trust: Trust,
    novelty: NoveltyScore | None,
    directory: Path,
    *,
    metrics: Mapping[str, JsonValue],
    seen_images: bytes | None = None,
) -> str:
    """Write a checkpoint that was read again, with other trust; its weights are copied as they are.

    Files of others in the directory that is written stay, as in `write_checkpoint`; those beside the
    checkpoint that was read are not taken along.

    Args:
        checkpoint: From a directory, which may be the one that is written.
        trust: Calibration, prediction sets, novelty, policy.
        novelty: The score that `trust.novelty` is the threshold of.
        directory: Where it goes.
        metrics: What it achieves with this trust; those of the former trust do not hold any more.
        seen_images: Content of seen_images.npz, see `datasets.provenance`; None leaves it as it is.

    Returns:
        The digest of the new checkpoint.

    Raises:
        CheckpointError: The directory cannot be written.
    """
    if checkpoint.directory is None:
        raise CheckpointError("The checkpoint is not of a directory; write it with write_checkpoint.")
    with _replacing(directory) as folder:
        for path in _own_files(checkpoint.directory):  # contents: the Hub's cache is made of symbolic links
            shutil.copyfile(path, folder / path.name)
        (folder / NOVELTY_FILE).unlink(missing_ok=True)
        facts: dict[str, Any] = {"trust": trust, "metrics": dict(metrics)}
        facts["novelty"] = _write_own(folder, NOVELTY_FILE, None if novelty is None else to_bytes(novelty))
        if seen_images is not None:
            facts["seen_images"] = _write_own(folder, SEEN_IMAGES_FILE, seen_images)
        return _write_config(folder, checkpoint.config.model_copy(update=facts))


def refuse_foreign(directory: Path) -> None:
    """Before the work: a directory that holds files of others and no checkpoint is no place for one.

    Raises:
        CheckpointError: It is such a directory.
    """
    if _is_checkpoint(directory) or not any(path.is_file() for path in directory.rglob("*")):
        return
    raise CheckpointError(
        f"{directory} holds other files and no checkpoint; name a new or empty directory, or a checkpoint's."
    )


def read_checkpoint(directory: str | Path) -> Checkpoint:
    """Read a checkpoint directory and refuse it unless every part of it is whole.

    Raises:
        CheckpointError: Anything missing, damaged, foreign, of a newer format, or not finite.
    """
    checkpoint = open_checkpoint(directory)
    _ = checkpoint.model
    return checkpoint


def open_checkpoint(directory: str | Path) -> Checkpoint:
    """Read all of a checkpoint but its weights, which are read when its model is first asked for.

    An engine that has its own file of this checkpoint needs neither weights nor the library of networks. That
    the network is known and its weights are whole is seen only then.

    Raises:
        CheckpointError: As `read_checkpoint`, but for the weights.
    """
    folder = Path(directory)
    config, digest = read_config(folder)
    return Checkpoint(config, lambda: _model(folder, config), digest, folder, _read_novelty(folder, config))


def read_config(directory: str | Path) -> tuple[CheckpointConfig, str]:
    """Config and digest of a checkpoint, without its weights.

    Raises:
        CheckpointError: The config is missing, damaged, foreign or of a newer format.
    """
    folder = Path(directory)
    raw = _read_bytes(folder, CONFIG_FILE)
    return _parse_config(folder / CONFIG_FILE, raw), hashlib.sha256(raw).hexdigest()[:12]


def read_seen_images(directory: str | Path, config: CheckpointConfig) -> bytes | None:
    """Content of the checkpoint's seen_images.npz; None where it has none.

    Raises:
        CheckpointError: It is missing or damaged.
    """
    return _read_own(Path(directory), SEEN_IMAGES_FILE, config.seen_images)


def _read_novelty(folder: Path, config: CheckpointConfig) -> NoveltyScore | None:
    content = _read_own(folder, NOVELTY_FILE, config.novelty)
    if content is None or config.trust is None or config.trust.novelty is None:
        return None
    return from_bytes(config.trust.novelty.kind, content)


def _read_own(folder: Path, name: str, sha256: str | None) -> bytes | None:
    """A file that a checkpoint may have; None where its config knows of none."""
    if sha256 is None:
        return None
    content = _read_bytes(folder, name)
    _check_digest(folder / name, content, sha256)
    return content


def _stored_state(model: nn.Module, half: bool) -> dict[str, Tensor]:
    """State of the model as it goes to disk: on the CPU, contiguous (safetensors knows no channels_last)."""
    shrunk = {name for name, p in model.named_parameters() if half and p.is_floating_point()}
    state = {
        name: tensor.detach().cpu().to(torch.float16 if name in shrunk else tensor.dtype).contiguous()
        for name, tensor in model.state_dict().items()
    }
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{name} is not finite as {tensor.dtype}; the training diverged.")
    return state


def _write_weights(folder: Path, state: dict[str, Tensor], max_shard_size: str) -> dict[str, str]:
    """One file or shards with an index; gives the sha256 of each."""
    from huggingface_hub import split_torch_state_dict_into_shards

    split = split_torch_state_dict_into_shards(state, max_shard_size=max_shard_size)
    weights = {}
    for name, keys in split.filename_to_tensors.items():
        data = save_safetensors({key: state[key] for key in keys}, metadata={"format": "pt"})
        weights[name] = hashlib.sha256(data).hexdigest()
        (folder / name).write_bytes(data)
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return weights


def _write_own(folder: Path, name: str, content: bytes | None) -> str | None:
    """A file that a checkpoint may have; gives its sha256."""
    if content is None:
        return None
    (folder / name).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _write_config(folder: Path, config: CheckpointConfig) -> str:
    """Last, as it holds the sha256 of all other files; gives its own digest."""
    raw = (config.model_dump_json(indent=2) + "\n").encode()
    (folder / CONFIG_FILE).write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()[:12]


@contextmanager
def _replacing(directory: str | Path) -> Iterator[Path]:
    """A folder beside a checkpoint's place, which moves there whole if the block ends well.

    It already holds what that place holds besides a checkpoint.
    """
    target = Path(directory).resolve()
    if target.exists() and not target.is_dir():
        raise CheckpointError(f"{target} is a file; name a directory for the checkpoint.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as workspace:
            folder = Path(workspace) / "new"
            _take_over_other_files(target, folder)
            yield folder
            _swap(folder, target, Path(workspace) / "old")
    except OSError as error:
        raise CheckpointError(f"{target} cannot be written ({error}); name another directory.") from error


def _take_over_other_files(previous: Path, folder: Path) -> None:
    """Make folder with all that the previous directory holds besides a checkpoint."""
    if not previous.exists():
        folder.mkdir()
        return
    shutil.copytree(previous, folder, symlinks=True)
    for path in _own_files(folder):
        path.unlink()


def _own_files(folder: Path) -> list[Path]:
    return [path for pattern in OWN_FILES for path in folder.glob(pattern)]


def _is_checkpoint(folder: Path) -> bool:
    """Whether its config.json is one of ours, of any version, whole or not."""
    try:
        return _Header.model_validate_json((folder / CONFIG_FILE).read_bytes()).format == FORMAT
    except (OSError, ValidationError):
        return False


def _swap(new: Path, target: Path, old: Path) -> None:
    """Move new to target by renames alone; what was there moves to old, and back if that fails."""
    if not target.exists():
        new.rename(target)
        return
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise


def _read_bytes(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise CheckpointError(_why_missing(folder, name)) from None
    except OSError as error:
        raise CheckpointError(f"{folder / name} cannot be read ({error}); check the path.") from error


def _why_missing(folder: Path, name: str) -> str:
    if not folder.is_dir():
        return f"There is no directory {folder}; name a checkpoint directory."
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles and not any(folder.glob("*.safetensors")):
        return f"{folder} holds {pickles[0]}, a pickle, which could run code: convert it to safetensors."
    return f"{folder} has no {name}; it is no whole checkpoint, copy or download it again."


def _parse_config(path: Path, raw: bytes) -> CheckpointConfig:
    """Header first, so that a newer format is called newer and not malformed."""
    try:
        header = _Header.model_validate_json(raw)
    except ValidationError as error:
        raise CheckpointError(f"{path} is no checkpoint's config ({_first(error)}); copy it again.") from None
    if header.format != FORMAT:
        raise CheckpointError(f"{path} has format {header.format!r}; only {FORMAT!r} is read.")
    if header.format_version > FORMAT_VERSION:
        raise CheckpointError(f"{path} has the newer format {header.format_version}; update transxv2s.")
    if header.format_version < FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has the older format {header.format_version}; use the transxv2s of then, or train again."
        )
    try:
        config = CheckpointConfig.model_validate_json(raw)
    except ValidationError as error:
        raise CheckpointError(f"{path} is not valid ({_first(error)}); restore the original file.") from None
    if not config.weights:
        raise CheckpointError(f"{path} names no weight file; restore the original file.")
    return config


def _first(error: ValidationError) -> str:
    """The first complaint, with the place it is about."""
    detail = error.errors()[0]
    place = ".".join(map(str, detail["loc"]))
    return f"{place}: {detail['msg']}" if place else detail["msg"]


@torch.inference_mode(False)  # whoever asks first: the weights stay, and heat maps take gradients
def _model(folder: Path, config: CheckpointConfig) -> nn.Module:
    model = _build(config.variant, len(config.classes))
    _load_weights(model, folder, config.weights)
    return model.eval()


def _build(variant: str, classes: int) -> nn.Module:
    """The network without values: every one of them is about to be loaded, so none is drawn at random."""
    from transxv2s import nets  # takes seconds, and engines with a file of their own do without

    try:
        with torch.device("meta"):
            model = nets.network(variant, classes)
        return model.to_empty(device="cpu")
    except InputError:
        raise CheckpointError(
            f"The network {variant!r} of this checkpoint is unknown; update transxv2s."
        ) from None


def _load_weights(model: nn.Module, folder: Path, weights: dict[str, str]) -> None:
    """Copy every stored tensor into the model, one file in memory at a time; float16 widens to float32."""
    expected = model.state_dict()
    missing = set(expected)
    for name, sha256 in weights.items():
        for key, tensor in _read_tensors(folder, name, sha256):
            _check_tensor(folder / name, key, tensor, expected.get(key))
            expected[key].copy_(tensor)
            missing.discard(key)
    if missing:
        raise CheckpointError(f"{folder} has no weights for {min(missing)}; it belongs to another network.")


def _read_tensors(folder: Path, name: str, sha256: str) -> Iterator[tuple[str, Tensor]]:
    """Tensors of one file. The bytes that were hashed are those that are parsed, not read again."""
    data = _read_bytes(folder, name)
    _check_digest(folder / name, data, sha256)
    try:
        yield from load_safetensors(data).items()
    except SafetensorError as error:
        raise CheckpointError(f"{folder / name} is not safetensors ({error}); write it again.") from error


def _check_digest(path: Path, content: bytes, sha256: str) -> None:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CheckpointError(f"{path} is damaged (its sha256 differs); copy or download it again.")


def _check_tensor(file: Path, key: str, stored: Tensor, expected: Tensor | None) -> None:
    if expected is None:
        raise CheckpointError(f"{file} holds {key}, unknown to the network; it belongs to another one.")
    if stored.shape != expected.shape or stored.is_floating_point() != expected.is_floating_point():
        raise CheckpointError(
            f"{file} holds {key} as {stored.dtype} {tuple(stored.shape)}, but the network has "
            f"{expected.dtype} {tuple(expected.shape)}; it belongs to another one."
        )
    if not stored.sum(dtype=torch.float64).isfinite():  # one pass, and no array of answers
        raise CheckpointError(f"{file} holds NaN or infinity in {key}; take an earlier checkpoint.")
