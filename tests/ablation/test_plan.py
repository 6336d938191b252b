"""Plans: what they ask for, and that a fault shows before anything is trained."""

from pathlib import Path

import pytest
import yaml

from transxv2s.ablation.plan import load_plan, slug
from transxv2s.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)


def written(folder: Path, **changes: object) -> Path:
    path = folder / "plan.yaml"
    rows = [{"name": "one"}, {"name": "two", "set": {"batch_size": 8}}]
    path.write_text(yaml.safe_dump({"recipe": "configs/smoke.yaml", "rows": rows} | changes))
    return path


def test_a_row_changes_the_recipe_after_the_plan(tmp_path: Path) -> None:
    plan = load_plan(written(tmp_path, set={"epochs": 3, "batch_size": 4}, seeds=[5]))
    one, two = (plan.recipe_of(row, 5) for row in plan.rows)
    assert (one.epochs, one.batch_size, one.seed) == (3, 4, 5)
    assert two == one.model_copy(update={"batch_size": 8})


def test_the_budget_is_that_of_the_runs(tmp_path: Path) -> None:
    common = {"epochs": 8, "data.limit": 8000, "preprocessing.size": 96}
    assert load_plan(written(tmp_path, set=common)).budget == "8 epochs, at most 8,000 images, 96 px"
    rows = [{"name": "one"}, {"name": "two", "set": {"minutes": 90, "data.limit": None}}]
    differing = load_plan(written(tmp_path, set=common, rows=rows))
    assert differing.budget == "8 epochs, at most 8,000 images, 96 px or 90 minutes, all images, 96 px"


@pytest.mark.parametrize(
    ("reference", "expected"), [("previous", [None, 0, 1]), ("first", [None, 0, 0]), ("none", [None] * 3)]
)
def test_the_first_row_is_compared_with_none(
    tmp_path: Path, reference: str, expected: list[int | None]
) -> None:
    plan = load_plan(written(tmp_path, reference=reference))
    assert [plan.reference_of(place) for place in range(3)] == expected


@pytest.mark.parametrize("path", sorted((CONFIGS / "ablation").glob("*.yaml")), ids=lambda path: path.stem)
def test_committed_plans_fit_their_recipes(path: Path) -> None:
    plan = load_plan(path)
    recipes = [plan.recipe_of(row, seed).model_dump_json() for row in plan.rows for seed in plan.seeds]
    assert len(set(recipes)) == len(plan.rows) * len(plan.seeds), "two runs of a plan are the same"
    assert "minutes" not in plan.budget, "rows would be given the same time, not the same steps"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": [{"name": "+ Swin"}, {"name": "Swin"}]}, "two rows have the same name"),
        ({"seeds": [1, 1]}, "two seeds are the same"),
        ({"seeds": []}, "seeds"),
        ({"rows": []}, "rows"),
        ({"steps": 3}, "steps"),
        ({"published": [{"name": "theirs", "accuracy": 93.5}]}, "published.0.accuracy"),
        ({"rows": [{"name": "one", "set": {"epoch": 3}}]}, "did you mean epochs"),
        ({"recipe": "configs/absent.yaml"}, "there is no configuration file"),
    ],
)
def test_faults_show_when_the_plan_is_read(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_plan(written(tmp_path, **changes))


def test_a_missing_plan_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no plan"):
        load_plan(tmp_path / "absent.yaml")


def test_names_make_folders() -> None:
    assert slug("+ DCGAN (full)") == "dcgan-full"
