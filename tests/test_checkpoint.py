"""A checkpoint comes back as it went, is replaced whole, and every damage is refused in one sentence."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

from transxv2s import nets
from transxv2s.checkpoint import (
    CheckpointConfig,
    described,
    read_checkpoint,
    refuse_foreign,
    with_trust,
    write_checkpoint,
)
from transxv2s.errors import CheckpointError
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.taxonomy import ISIC2019, TAXONOMIES, DiagnosticClass, Taxonomy
from trusting import plain_trust

VARIANT = "transxv2s_net_efficientnetv2_s"
TRUST = plain_trust(1.3, 0.2, "fold 4, 100 images", min_confidence=0.6)


def build_config(variant: str = VARIANT) -> CheckpointConfig:
    return CheckpointConfig(
        variant=variant,
        preprocessing=Preprocessing(),
        trust=TRUST,
        training={"recipe": "paper", "seed": 0},
        metrics={"test": {"balanced_accuracy": 0.125, "f1_of_absent_class": None}},
    )


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """A small variant with random weights; its running statistics are made ones that float16 would change."""
    torch.manual_seed(0)
    network = nets.create(VARIANT)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
    return network


@pytest.fixture(scope="module")
def written(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small variant as float16 in shards."""
    folder = tmp_path_factory.mktemp("checkpoints") / "small"
    write_checkpoint(folder, model, build_config(), half=True, max_shard_size="20MB")
    return folder


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Emptied after each test: pytest keeps these folders for three runs, and here they hold gigabytes."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    """A checkpoint to damage."""
    return Path(shutil.copytree(written, tmp_path / "copy"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change config.json."""
    path = folder / "config.json"
    config = json.loads(path.read_bytes())
    change(config)
    path.write_text(json.dumps(config))


def shard(folder: Path) -> Path:
    return min(folder.glob("*.safetensors"))


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors of one shard, with a hash to match: a foreign file and not a damaged one."""
    path = shard(folder)
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    edit(folder, lambda config: config["weights"].update({path.name: sha256}))


def test_float32_round_trip_is_exact(model: nn.Module, tmp_path: Path) -> None:
    digest = write_checkpoint(tmp_path / "new" / "whole", model, build_config(), max_shard_size="1GB")
    checkpoint = read_checkpoint(tmp_path / "new" / "whole")
    assert {path.name for path in (tmp_path / "new" / "whole").iterdir()} == {
        "config.json",
        "model.safetensors",
    }
    assert checkpoint.digest == digest
    assert checkpoint.config.model_copy(update={"weights": {}}) == build_config()
    assert not checkpoint.model.training
    expected = model.state_dict()
    assert checkpoint.model.state_dict().keys() == expected.keys()
    for name, tensor in checkpoint.model.state_dict().items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name]), name


def test_half_rounds_parameters_and_nothing_else(model: nn.Module, written: Path) -> None:
    read = read_checkpoint(written).model
    stored = {
        name: tensor for path in written.glob("*.safetensors") for name, tensor in load_file(path).items()
    }
    parameters = dict(model.named_parameters())
    assert {stored[name].dtype for name in parameters} == {torch.float16}
    for name, tensor in read.state_dict().items():
        expected = model.state_dict()[name]
        rounded = expected.half().float() if name in parameters else expected
        assert tensor.dtype == expected.dtype
        assert torch.equal(tensor, rounded), name


def test_shards_follow_the_hubs_conventions(written: Path) -> None:
    index = json.loads((written / "model.safetensors.index.json").read_bytes())
    shards = sorted(written.glob("*.safetensors"))
    assert [path.name for path in shards] == [
        f"model-{n:05}-of-{len(shards):05}.safetensors" for n in range(1, len(shards) + 1)
    ]
    assert len(shards) > 1
    assert max(path.stat().st_size for path in shards) < 21_000_000
    assert index["weight_map"] == {name: path.name for path in shards for name in load_file(path)}


def test_digest_and_hashes_are_those_of_the_files(written: Path) -> None:
    config = json.loads((written / "config.json").read_bytes())
    assert config["weights"] == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written.glob("*.safetensors")
    }
    expected = hashlib.sha256((written / "config.json").read_bytes()).hexdigest()[:12]
    assert read_checkpoint(written).digest == expected


@pytest.mark.parametrize("variant", sorted(nets.VARIANTS))
def test_every_variant_comes_back(variant: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = nets.create(variant).eval().to(memory_format=torch.channels_last)
    write_checkpoint(tmp_path / variant, network, build_config(variant))
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        read = read_checkpoint(tmp_path / variant).model.to(memory_format=torch.channels_last)
        assert torch.equal(read(images), network(images))


def test_a_new_checkpoint_replaces_the_old_one_and_leaves_other_files(model: nn.Module, copy: Path) -> None:
    (copy / "README.md").write_text("A card.")
    (copy / "notes").mkdir()
    (copy / "notes" / "model.safetensors").write_bytes(b"someone else's")
    digest = write_checkpoint(copy, model, build_config(), max_shard_size="1GB")
    assert read_checkpoint(copy).digest == digest
    left = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert left == {"config.json", "model.safetensors", "README.md", "notes/model.safetensors"}
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


@pytest.mark.parametrize("failing", ["write_bytes", "rename"])
def test_a_write_that_fails_leaves_the_old_checkpoint(
    model: nn.Module, copy: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The second call fails: between two shards, or when the old directory has left and the new one comes."""
    before = read_checkpoint(copy).digest
    original, calls = getattr(Path, failing), []

    def fail(path: Path, *arguments: Any) -> Any:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return original(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Path, failing, fail)
        with pytest.raises(CheckpointError, match="No space left"):
            write_checkpoint(copy, model, build_config(), max_shard_size="20MB")
    assert read_checkpoint(copy).digest == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_other_trust_leaves_weights_and_other_files(copy: Path, tmp_path: Path, elsewhere: bool) -> None:
    target = Path(shutil.copytree(copy, tmp_path / "other")) if elsewhere else copy
    (target / "README.md").write_text("A card.")
    (copy / "LICENSE").write_text("of the original")
    before = files_of(copy)
    trust = plain_trust(fitted_on="another hospital")
    digest = with_trust(read_checkpoint(copy), trust, None, target, metrics={}, seen_images=b"a list")
    again = read_checkpoint(target)
    assert (again.digest, again.config.trust) == (digest, trust)
    assert (target / "README.md").read_text() == "A card."
    assert (target / "LICENSE").exists() == (not elsewhere)
    assert (target / "seen_images.npz").read_bytes() == b"a list"
    assert {name: (target / name).read_bytes() for name in again.config.weights} == {
        name: before[name] for name in again.config.weights
    }
    if elsewhere:
        assert files_of(copy) == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("in_place", [False, True])
def test_other_trust_is_not_written_through_symbolic_links(
    copy: Path, tmp_path: Path, in_place: bool
) -> None:
    """As the Hub's cache has them: a snapshot is a folder of links to files that other snapshots share."""
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for path in copy.iterdir():
        (snapshot / path.name).symlink_to(path)
    before = files_of(copy)
    target = snapshot if in_place else tmp_path / "new"
    trust = plain_trust(fitted_on="another hospital")
    with_trust(read_checkpoint(snapshot), trust, None, target, metrics={})
    assert files_of(copy) == before
    assert not any(path.is_symlink() for path in target.iterdir())
    assert read_checkpoint(target).config.trust == trust


def test_a_directory_with_files_of_others_is_no_place_for_a_checkpoint(copy: Path, tmp_path: Path) -> None:
    refuse_foreign(copy)
    refuse_foreign(tmp_path / "new")
    (tmp_path / "empty" / "calibration").mkdir(parents=True)
    refuse_foreign(tmp_path / "empty")
    for content in ('{"architectures": ["Bert"]}', "no json"):
        other = tmp_path / "other"
        other.mkdir(exist_ok=True)
        (other / "config.json").write_text(content)
        with pytest.raises(CheckpointError, match="holds other files and no checkpoint"):
            refuse_foreign(other)


def test_a_file_in_the_place_of_the_directory_is_not_overwritten(model: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="is a file"):
        write_checkpoint(tmp_path / "report.txt", model, build_config())
    assert (tmp_path / "report.txt").read_text() == "mine"


@pytest.mark.parametrize(("value", "half"), [(float("nan"), False), (float("inf"), True), (1e6, True)])
def test_weights_that_are_not_finite_are_not_written(tmp_path: Path, value: float, half: bool) -> None:
    network = nn.Linear(2, 2)
    nn.init.constant_(network.weight, value)
    with pytest.raises(CheckpointError, match=r"weight is not finite"):
        write_checkpoint(tmp_path / "diverged", network, build_config(), half=half)
    assert not list(tmp_path.iterdir())


def test_config_refuses_other_classes() -> None:
    values = build_config().model_dump()
    with pytest.raises(ValidationError, match="taxonomy and classes"):
        CheckpointConfig.model_validate(values | {"classes": sorted(ISIC2019.codes)})


WART = DiagnosticClass("WART", "viral wart", "benign")


@pytest.mark.parametrize("taxonomy", [*TAXONOMIES.values(), Taxonomy("own", (WART, ISIC2019["MEL"]))])
def test_classes_come_back_as_they_went(taxonomy: Taxonomy) -> None:
    config = CheckpointConfig(variant=VARIANT, preprocessing=Preprocessing(), **described(taxonomy))
    again = CheckpointConfig.model_validate_json(config.model_dump_json()).to_taxonomy()
    assert again == taxonomy
    assert taxonomy.name == "own" or again is taxonomy


@pytest.mark.parametrize(
    ("classes", "own_classes", "said"),
    [
        (["MEL", "WART"], [], "own_classes must name each"),
        (["MEL", "NV"], [WART], "own_classes must name each"),
        (["MEL", "MEL"], [], "two or more different"),
        (["MEL"], [], "two or more different"),
    ],
)
def test_own_classes_must_be_described(classes: list[str], own_classes: list[Any], said: str) -> None:
    values = {"variant": VARIANT, "preprocessing": Preprocessing(), "taxonomy": "own"}
    with pytest.raises(ValidationError, match=said):
        CheckpointConfig.model_validate(values | {"classes": classes, "own_classes": own_classes})


def flip_a_byte(folder: Path) -> None:
    data = bytearray(shard(folder).read_bytes())
    data[len(data) // 2] ^= 1
    shard(folder).write_bytes(data)


def put_a_directory_for_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()


def leave_only_pickles(folder: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.rename(path.with_suffix(".bin"))


def rename_a_tensor(tensors: dict[str, torch.Tensor]) -> None:
    tensors["foreign.weight"] = tensors.pop(min(tensors))


def reshape_a_tensor(tensors: dict[str, torch.Tensor]) -> None:
    tensors[min(tensors)] = torch.zeros(3)


def poison_a_tensor(tensors: dict[str, torch.Tensor]) -> None:
    tensors[min(tensors)].view(-1)[0] = float("nan")


def no_safetensors(folder: Path) -> None:
    shard(folder).write_bytes(b"PK\x03\x04 a pickle in disguise")
    sha256 = hashlib.sha256(shard(folder).read_bytes()).hexdigest()
    edit(folder, lambda config: config["weights"].update({shard(folder).name: sha256}))


def edited(**change: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder, lambda config: config.update(change))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no directory": (shutil.rmtree, "There is no directory"),
    "no config": (lambda d: (d / "config.json").unlink(), "has no config.json"),
    "config is a directory": (put_a_directory_for_config, "cannot be read"),
    "bad JSON": (lambda d: (d / "config.json").write_text('{"format": '), "no checkpoint's config"),
    "JSON cut off": (
        lambda d: (d / "config.json").write_bytes((d / "config.json").read_bytes()[:-20]),
        "no checkpoint's config",
    ),
    "not text": (lambda d: (d / "config.json").write_bytes(b"\xff\x00\x80"), "no checkpoint's config"),
    "JSON list": (lambda d: (d / "config.json").write_text("[]"), "no checkpoint's config"),
    "another tool's config": (
        lambda d: (d / "config.json").write_text('{"model_type": "vit"}'),
        "no checkpoint's config",
    ),
    "wrong format": (edited(format="other"), "format 'other'"),
    "newer version": (edited(format_version=3, surprise=1), "newer format 3; update"),
    "older version": (edited(format_version=1, calibration=None), "older format 1; use"),
    "unknown field": (edited(colour="red"), "colour"),
    "unknown variant": (edited(variant="resnet50"), "'resnet50' of this checkpoint is unknown"),
    "wrong class list": (edited(classes=sorted(ISIC2019.codes)), "taxonomy and classes must be"),
    "wrong taxonomy": (edited(taxonomy="ham10000"), "taxonomy and classes must be"),
    "impossible calibration": (edited(trust={"scaling": {"temperature": -1}}), "trust"),
    "no weights named": (edited(weights={}), "names no weight file"),
    "weights elsewhere": (edited(weights={"../model.safetensors": "0" * 64}), "weights"),
    "missing shard": (lambda d: shard(d).unlink(), "has no model-00001"),
    "flipped byte": (flip_a_byte, "is damaged"),
    "truncated": (lambda d: shard(d).write_bytes(shard(d).read_bytes()[:-100]), "is damaged"),
    "empty": (lambda d: shard(d).write_bytes(b""), "is damaged"),
    "not safetensors": (no_safetensors, "is not safetensors"),
    "only pickles": (leave_only_pickles, "a pickle"),
    "foreign key": (lambda d: rewrite(d, rename_a_tensor), "foreign.weight, unknown"),
    "other shape": (lambda d: rewrite(d, reshape_a_tensor), "but the network has"),
    "fewer keys": (lambda d: rewrite(d, lambda t: t.pop(min(t))), "has no weights for"),
    "NaN weights": (lambda d: rewrite(d, poison_a_tensor), "NaN or infinity"),
    "other variant's weights": (edited(variant="transxv2s_net_effswin"), "belongs to another"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused_in_one_sentence(damage: str, copy: Path) -> None:
    inflict, complaint = DAMAGE[damage]
    inflict(copy)
    with pytest.raises(CheckpointError, match=complaint) as caught:
        read_checkpoint(copy)
    message = str(caught.value)
    assert re.fullmatch(r"[^\n]+\.", message), message


def test_a_whole_copy_is_not_refused(copy: Path, written: Path) -> None:
    """What the damages above start from is sound, also after the config was rewritten."""
    rewrite(copy, lambda tensors: None)
    assert read_checkpoint(copy).config.classes == read_checkpoint(written).config.classes
