"""`transxv2s ablate`: training runs that differ in one thing, their table and their figure."""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

    from transxv2s.ablation.plan import Plan
    from transxv2s.ablation.result import Line
    from transxv2s.scoring import Interval

PLAN = Path("configs/ablation/variants.yaml")
SHOWN = {"accuracy": "accuracy", "macro_f1": "F1", "macro_auc": "AUC", "nll": "loss"}


def ablate(
    plan_file: Annotated[
        Path, typer.Option("--plan", metavar="FILE", help="What is compared; configs/ablation holds several.")
    ] = PLAN,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, help="Folder of the runs; without it runs/ and the plan's name."
        ),
    ] = None,
    only_table: Annotated[
        bool, typer.Option("--only-table", help="Train nothing: show what is finished.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json only.")] = False,
) -> None:
    """Train the rows of a plan with the same split, steps and seeds, and compare them.

    Without a plan: the article's ablation. A stopped command goes on where it was when called again; each run
    is a folder as `train` leaves it. results.json and figure.png are written after every run, and cost.png
    where the plan names networks of others.
    """
    from rich.console import Console

    from transxv2s.ablation.plan import load_plan
    from transxv2s.training.devices import is_first

    plan = load_plan(plan_file)
    folder = out or Path("runs") / plan_file.stem
    if not only_table:
        _train(plan, folder)
    if not is_first():
        return
    found = _write(plan, folder)
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        for table in (_table(found), _classes(found, "recall"), _classes(found, "f1")):
            Console().print(table)
        typer.echo(f"{folder / 'results.json'}, {folder / 'figure.png'}")


def _train(plan: "Plan", folder: Path) -> None:
    """Trains what is missing; of several processes the first tells it, sums it up and measures speeds."""
    from rich.console import Console

    from transxv2s.ablation.runs import train_missing
    from transxv2s.ablation.speed import measure_speed, read_speed
    from transxv2s.training.devices import is_first

    for row, seed in train_missing(plan, folder):
        if is_first():
            _write(plan, folder)
            Console(stderr=True).print(f"[bold]{row.name}[/], seed {seed}")
    if is_first() and plan.published and read_speed(folder) is None:
        measure_speed(plan, folder)


def _write(plan: "Plan", folder: Path) -> dict[str, Any]:
    """Sums up what is finished: results.json, figure.png and, where speeds are known, cost.png."""
    from transxv2s.ablation.cost_figure import draw_cost
    from transxv2s.ablation.figure import draw
    from transxv2s.ablation.result import content
    from transxv2s.files import make_folders, write_whole

    found = content(plan, folder)
    make_folders(folder)
    write_whole(folder / "results.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    write_whole(folder / "figure.png", _png(draw(found["rows"], plan.source)))
    if found["speed"] is not None:
        cost = draw_cost(found["rows"], found["speed"], plan.published, plan.source)
        write_whole(folder / "cost.png", _png(cost))
    return found


def _png(figure: "Figure") -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=140)
    return picture.getvalue()


def _table(found: dict[str, Any]) -> "Table":
    from rich.table import Table

    subset, source = found["plan"]["subset"], found["plan"]["source"]
    how = f"means over seeds, 95 % intervals over lesions; in italics: {source}"
    table = Table(title=f"{subset} images, {found['budget']}; {how}", caption=found["holds"])
    for heading in ("", "parameters", "seeds", "balanced accuracy", "difference", *SHOWN.values()):
        table.add_column(heading)
    for line in found["rows"]:
        table.add_row(*_cells(line))
    return table


def _classes(found: dict[str, Any], key: str) -> "Table":
    """A score of each class; of an unfinished row nothing."""
    from rich.table import Table

    title = {"recall": "Recall of each class", "f1": "F1 of each class"}[key]
    table = Table(title=title)
    codes = list(dict.fromkeys(code for line in found["rows"] for code in line[key]))
    for heading in ("", *codes):
        table.add_column(heading)
    for line in found["rows"]:
        if line[key]:
            table.add_row(line["name"], *(_interval(line[key][code], between="\n") for code in line[key]))
    return table


def _cells(line: "Line") -> list[str]:
    from transxv2s.ablation.result import label

    scores, difference = line["scores"], line["difference"]
    name = "\n".join(label(line))
    if scores is None:
        return [name, "", "open", *[""] * 2, *[_quoted(line, key) for key in SHOWN]]
    parameters = f"{(line['parameters'] or 0) / 1e6:.2f} M"
    change = _interval(difference["balanced_accuracy"], "+") if difference else ""
    if difference and not line["conclusive"]:
        change += "\n(inconclusive)"
    if difference and not line["paired"]:
        change += "\n(other images)"
    shown = [f"{_interval(scores[key])}{_quoted(line, key)}" for key in SHOWN]
    return [
        name,
        parameters,
        ", ".join(map(str, line["seeds"])),
        _interval(scores["balanced_accuracy"]),
        change,
        *shown,
    ]


def _quoted(line: "Line", key: str) -> str:
    return f"\n[italic]{line['quoted'][key]:.3f}[/]" if key in line["quoted"] else ""


def _interval(interval: "Interval", sign: str = "", between: str = " ") -> str:
    value, low, high = interval["value"], interval["low"], interval["high"]
    if value is None or low is None or high is None:
        return "–"
    return f"{value:{sign}.3f}{between}({low:{sign}.3f}–{high:{sign}.3f})"
