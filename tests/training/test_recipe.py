"""Recipes: every mistake is named, every committed file loads, and the article's preset is the article's."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from transxv2s.checkpoint import read_config
from transxv2s.errors import ConfigError
from transxv2s.imaging.colour import GWSD
from transxv2s.training.losses import Focal, LogitAdjusted, Weighted
from transxv2s.training.recipe import Recipe, load_recipe

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
DATA: dict[str, Any] = {"data": {"dataset": "isic2019", "root": "images", "split": "split.csv"}}


def write(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    return write(tmp_path, DATA)


def test_what_is_left_out_has_its_default(minimal: Path) -> None:
    recipe = load_recipe(minimal)
    assert recipe == Recipe.model_validate(DATA)
    assert recipe.data.root == Path("images")


def test_fine_tuning_sees_images_as_the_shipped_network_did() -> None:
    config, _ = read_config(CONFIGS.parent / "checkpoints" / "transxv2s_net")
    assert load_recipe(CONFIGS / "finetune.yaml").preprocessing == config.preprocessing


def test_epochs_are_not_set_where_minutes_decide(tmp_path: Path) -> None:
    timed = write(tmp_path, DATA | {"minutes": 50})
    with pytest.raises(ConfigError, match=r"trains for 50 minutes, whatever epochs is: set minutes=null too"):
        load_recipe(timed, ["epochs=8"])
    assert load_recipe(timed, ["epochs=8", "minutes=null"]).minutes is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3}, r"unknown key epoch: did you mean epochs\? known are data, preprocessing"),
        ({"optimizer": {"learn_rate": 1}}, r"optimizer\.learn_rate: did you mean learning_rate\?"),
        ({"preprocessing": {"crop": 1}}, r"preprocessing\.crop: did you mean crop_fraction\?"),
        ({"preprocessing": {"colour": {"max": 1}}}, r"preprocessing\.colour\.max: did you mean max_gain\?"),
        ({"loss": {"name": "focal", "gama": 1}}, r"loss\.gama: did you mean gamma\? known are name, gamma$"),
        ({"loss": {"tau": 1}}, r"loss\.tau: did you mean .* known are name, label_smoothing$"),
        ({"data": {**DATA["data"], "ham": "x"}}, r"data\.ham: did you mean ham10000\?"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    content: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(write(tmp_path, DATA | content))


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"epochs": "many"}, "epochs"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 1.5}, "batch_size"),
        ({"network": {"dropout": 1}}, r"network\.dropout"),
        ({"optimizer": {"name": "sgd"}}, r"optimizer\.name"),
        ({"preprocessing": {"size": 32}}, r"preprocessing\.size"),
        ({"data": {"dataset": "isic2019", "root": "images"}}, r"data\.split"),
        ({"schedule": 3}, "schedule"),
        ({"loss": "focal"}, "loss"),
        ({"loss": {"name": "hinge"}}, "loss"),
        ({"loss": {"name": "class_balanced", "beta": 1}}, r"loss\.beta"),
        ({"averaging": {"decay": 1}}, r"averaging\.decay"),
        ({"hardware": {"strategy": "fsdp"}}, r"hardware\.strategy"),
        ({"small_share": 0.5, "small_size": 96, "preprocessing": {"size": 96}}, "small_share"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(content: dict[str, Any], key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"recipe\.yaml: {key}: [a-z]"):
        load_recipe(write(tmp_path, DATA | content))


def test_small_images_matter_only_where_there_are_some(minimal: Path) -> None:
    assert load_recipe(minimal, ["preprocessing.size=96", "small_size=96"]).small_share == 0
    with pytest.raises(ConfigError, match=r"small_size \(96\) must be less than preprocessing\.size \(96\)"):
        load_recipe(minimal, ["preprocessing.size=96", "small_share=0.4"])


def test_an_unknown_variant_is_refused_with_the_known_ones(minimal: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"network\.variant: there is no variant .* choose one of .*transxv2s_net"
    ):
        load_recipe(minimal, ["network.variant=resnet50"])


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("optimizer.learning_rate=1e-4", lambda r: r.optimizer.learning_rate == 1e-4),
        ("optimizer.learning_rate=2E-3", lambda r: r.optimizer.learning_rate == 2e-3),
        ("epochs=2", lambda r: r.epochs == 2),
        ("sampling=none", lambda r: r.sampling == "none"),
        ("loss.name=focal", lambda r: r.loss == Focal(gamma=2)),
        ("loss={name: logit_adjusted, tau: 1e-1}", lambda r: r.loss == LogitAdjusted(tau=0.1)),
        ("averaging.decay=0.99", lambda r: r.averaging.decay == 0.99),
        ("early_stopping=null", lambda r: r.early_stopping is None),
        ("preprocessing.colour.target_mean=null", lambda r: r.preprocessing.colour.target_mean is None),
        ("data.store=a=b", lambda r: r.data.store == Path("a=b")),
    ],
)
def test_overrides(override: str, read: Any, minimal: Path) -> None:
    assert read(load_recipe(minimal, ["epochs=9", "sampling=balanced", override]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("optimiser.learning_rate=1", r"unknown key optimiser: did you mean optimizer\?"),
        ("seed.value=1", "seed is not a section"),
        ("epochs=[", "the value is not valid YAML"),
    ],
)
def test_a_wrong_override_is_refused(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(write(tmp_path, DATA | {"seed": 0}), [override])


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a: [", "not a readable YAML file"), (b"- a", "must hold keys and values"), (b"", "must hold keys"),
     (b"\xff\xfe\xff", "not a readable YAML file")],
)  # fmt: skip
def test_what_is_no_recipe_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_recipe(tmp_path / "recipe.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no configuration file .*none\.yaml"):
        load_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_committed_recipe_loads_with_relative_paths(path: Path) -> None:
    data = load_recipe(path).data
    assert not any(p.is_absolute() for p in (data.root, data.split, data.store))


def test_the_articles_recipe() -> None:
    recipe = load_recipe(CONFIGS / "paper.yaml")
    colour = recipe.preprocessing.colour
    assert isinstance(colour, GWSD)
    assert (colour.target_mean, colour.target_std) == (163.7, 47.5)
    assert recipe.preprocessing.hair_removal is not None
    assert recipe.preprocessing.size == 128
    assert recipe.network.variant == "transxv2s_net"
    assert (recipe.network.dropout, recipe.network.pretrained) == (0.3, True)
    optimizer = recipe.optimizer
    assert (optimizer.name, optimizer.learning_rate, optimizer.dcgan_factor) == ("adamax", 1e-3, 0.1)
    assert optimizer.weight_decay == 1e-4
    assert (recipe.schedule.name, recipe.schedule.factor, recipe.schedule.patience) == ("plateau", 0.5, 1)
    assert (recipe.epochs, recipe.batch_size, recipe.early_stopping) == (25, 16, 3)
    assert recipe.minutes is None
    assert recipe.loss == Weighted(label_smoothing=0.1)


def test_a_recipe_survives_being_written_and_read(tmp_path: Path) -> None:
    """As a run folder keeps it, to be resumed."""
    recipe = load_recipe(CONFIGS / "modern.yaml")
    assert load_recipe(write(tmp_path, recipe.model_dump(mode="json"))) == recipe
