"""What a run leaves and shows of itself: tables, curves over all resumptions, TensorBoard's file, a bar."""

import io
from pathlib import Path

import cv2
import pytest
from rich.console import Console

from transxv2s.training import curves, progress_bar, run, start
from transxv2s.training.curves import RATE, SCORE, TRAIN_LOSS, VALIDATION_LOSS, history, points
from transxv2s.training.progress_bar import duration, time_left

from .runs import KilledError, stop_before, train
from .tiny import EPOCHS, STEPS_PER_EPOCH, TinyNetwork, recipe


def write_table(folder: Path, version: int, *lines: str) -> None:
    path = folder / f"version_{version}" / "metrics.csv"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def test_steps_that_were_done_again_count_once(tmp_path: Path) -> None:
    write_table(tmp_path, 0, "step,train/loss,validation/loss", "9,3.0,", "19,2.0,", "24,,2.5", "29,1.5,")
    write_table(tmp_path, 2, "step,train/loss", "39,0.5")
    write_table(tmp_path, 10, "step,train/loss", "49,0.25")
    write_table(tmp_path, 1, "step,train/loss,validation/loss", "19,2.1,", "24,,2.4", "29,1.4,")
    (tmp_path / "version_3").mkdir()  # of a resumption that logged nothing
    rows = history(tmp_path)
    assert points(rows, lambda row: row.get(TRAIN_LOSS)) == ([9, 19, 29, 39, 49], [3.0, 2.1, 1.4, 0.5, 0.25])
    assert points(rows, lambda row: row.get(VALIDATION_LOSS)) == ([24], [2.4])


def test_a_line_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    """Wherever a kill cuts the last line, and also where the next line was glued to it."""
    table, last = "epoch,step,train/loss,validation/loss\n0,9,3.25,\n", "1,19,2.125,0.5\n"
    write_table(tmp_path, 0)
    path = tmp_path / "version_0" / "metrics.csv"
    for end in range(len(last)):
        path.write_text(table + last[:end])
        assert history(tmp_path) == [{"epoch": 0, "step": 9, "train/loss": 3.25}]
    path.write_text(table + last[:8] + last)
    assert [row["step"] for row in history(tmp_path)] == [9]
    path.write_text(table + last)
    assert [row["step"] for row in history(tmp_path)] == [9, 19]


def test_the_curve_of_the_rate_is_that_of_the_fastest_group() -> None:
    assert curves.highest_rate({"step": 1.0, f"{RATE}a/pg1": 0.1, f"{RATE}a/pg2": 0.01}) == 0.1
    assert curves.highest_rate({"step": 1.0}) is None


def test_the_picture_is_drawn_anew_after_each_epoch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a run that was killed and resumed; every epoch is in the last picture."""
    draw, scores = curves.draw, []

    def note(rows: list[curves.Row], path: Path) -> None:
        draw(rows, path)
        scores.append(points(rows, lambda row: row.get(SCORE))[0])

    folder = tmp_path / "run"
    monkeypatch.setattr(curves, "draw", note)
    for stop, resume in ((stop_before("train", STEPS_PER_EPOCH + 2), False), (None, True)):
        network = TinyNetwork(tmp_path / "log", stop)
        monkeypatch.setattr(start, "create", lambda *_, network=network, **__: network)
        try:
            run.train(recipe(data), folder, resume)
        except KilledError:
            assert cv2.imread(str(folder / curves.PICTURE)) is not None
    ends = [STEPS_PER_EPOCH * epoch - 1 for epoch in range(1, EPOCHS + 1)]
    assert scores == [ends[:1], ends[:2], ends]


def test_tensorboard_gets_what_the_table_gets(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(monkeypatch, recipe(data), tmp_path / "run")
    events = accumulators.EventAccumulator(str(tmp_path / "run" / "tensorboard" / "version_0"))
    events.Reload()
    table = points(history(tmp_path / "run" / curves.METRICS), lambda row: row.get(SCORE))
    logged = events.Scalars(SCORE)
    assert [event.step for event in logged] == table[0]
    assert [event.value for event in logged] == pytest.approx(table[1])
    assert TRAIN_LOSS in events.Tags()["scalars"]


def test_without_a_terminal_there_is_a_line_an_epoch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(monkeypatch, recipe(data), tmp_path / "run")
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["epoch 1, 33%", "epoch 2, 67%", "epoch 3, 100%"]
    for line in lines:
        assert "balanced accuracy 0." in line
        assert "images/s" in line
        assert line.endswith("s left")


def test_on_a_terminal_there_is_a_bar_that_goes_when_the_run_ends(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200)
    monkeypatch.setattr(progress_bar, "Console", lambda **_: console)
    with pytest.raises(KilledError):
        train(monkeypatch, recipe(data), tmp_path / "run", stop=stop_before("train", 2 * STEPS_PER_EPOCH + 1))
    assert "images/s" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")  # the line is cleared
    assert capsys.readouterr().err == ""


def test_the_bar_can_wait_for_a_step_of_several_batches(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the first step is made, nothing tells how long the run will take."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200)
    monkeypatch.setattr(progress_bar, "Console", lambda **_: console)
    wanted = recipe(data, epochs=1, batch_size=4, hardware={"accumulate": 2})
    train(monkeypatch, wanted, tmp_path / "run")
    assert "s left" in screen.getvalue()
    assert "inf" not in screen.getvalue()


def test_time_left() -> None:
    assert time_left(0.5, 0.75, 60) == 60  # resumed at half; a quarter took a minute, as will the last
    assert time_left(0.5, 0.5, 60) == float("inf")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (11100, "3 h 05 min")],
)
def test_a_length_of_time_as_one_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text
