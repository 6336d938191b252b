"""`transxv2s explain`, with a real network of random weights, and once with the one that ships."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transxv2s import NOTICE
from transxv2s.classifier import SHIPPED_CHECKPOINT, Classifier, Prepared
from transxv2s.explain import FUSED, SIX, heat_maps
from transxv2s.explain.maps import HeatMap
from transxv2s.explain.meaning import DEFAULT_METHOD, MEANING
from transxv2s.imaging.pipeline import to_tensor
from transxv2s.taxonomy import ISIC2019

from .conftest import SIZE, Run, draw_lesion

SAMPLES = SHIPPED_CHECKPOINT.parents[1] / "samples"
TWO = "hirescam,eigencam"


def test_all_six_of_one_image(run: Run, checkpoint: Path, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("explain", study / "a.png", "--checkpoint", checkpoint, "--out", out, "--json")
    assert (result.code, result.err) == (0, "")
    index = json.loads(result.out)
    assert json.loads((out / "explanations.json").read_text()) == index
    assert (index["notice"], index["meaning"], index["failures"]) == (NOTICE, MEANING, [])
    (entry,) = index["explanations"]
    assert entry["class"] == entry["predicted"]
    assert tuple(found["method"] for found in entry["heat_maps"]) == SIX
    assert [found["method"] for found in entry["heat_maps"] if not found["class_dependent"]] == ["eigencam"]
    named = {
        path for found in entry["heat_maps"] for path in (found["picture"], found["values"], found["raw"])
    }
    named |= {entry["grid"]}
    written = {path.relative_to(out).as_posix() for path in (out / "images").rglob("*") if path.is_file()}
    assert written == named
    for path in (name for name in named if name.endswith(".png")):
        with Image.open(out / path, formats=["PNG"]) as picture:
            picture.load()


def test_arrays_are_the_maps_of_the_class_that_was_asked_for(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--methods", "hirescam", "--class", "DF", "--target", "effnet", "--json")
    result = run("explain", study / "a.png", "--checkpoint", checkpoint, "--out", out, *options)
    (entry,) = json.loads(result.out)["explanations"]
    assert (entry["class"], entry["target"]) == ("DF", "effnet")
    classifier = Classifier.load(checkpoint, "cpu")
    network = classifier._network()
    square = to_tensor(classifier.prepare(study / "a.png").seen)[None]
    (expected,) = heat_maps(network, square, ["hirescam"], [ISIC2019.index("DF")], ["effnet"])[0]
    (found,) = entry["heat_maps"]
    values = np.load(out / found["values"], allow_pickle=False)
    assert values.shape == (SIZE, SIZE)
    np.testing.assert_allclose(values, expected.values, atol=1e-4)
    np.testing.assert_allclose(np.load(out / found["raw"], allow_pickle=False), expected.raw, rtol=1e-3)
    page = (out / "explanation.html").read_text(encoding="utf-8")
    share = f"{100 * entry['probabilities']['DF']:.0f}\N{NO-BREAK SPACE}%"
    assert f"for dermatofibroma, {share}; target effnet" in page


def test_a_folder_is_explained_but_for_what_cannot_be_read(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run("explain", study, "--checkpoint", checkpoint, "--out", out, "--methods", "eigencam")
    assert result.code == 1
    assert "damaged.jpg" in result.out
    assert NOTICE in result.out
    assert MEANING in result.out
    index = json.loads((out / "explanations.json").read_text())
    assert [entry["id"] for entry in index["explanations"]] == ["a", "lesion", "lesion_2"]
    assert {folder.name for folder in (out / "images").iterdir()} == {"a", "lesion", "lesion_2"}
    assert [Path(failure["file"]).name for failure in index["failures"]] == ["damaged.jpg"]
    page = (out / "explanation.html").read_text(encoding="utf-8")
    assert page.count("<article") == 3
    assert page.count("same for every class; target fused</figcaption>") == 3
    assert page.count(NOTICE) == 2
    assert MEANING in page
    assert "damaged.jpg" in page
    assert "<script" not in page
    assert set(re.findall(r'(?:src|href)="(.{5})', page)) == {"data:"}


def test_two_heat_maps_and_attention_of_the_shipped_network(run: Run, tmp_path: Path) -> None:
    out, image = tmp_path / "out", SAMPLES / "ISIC_0000142.jpg"
    result = run("explain", image, "--methods", TWO, "--attention", "--out", out, "--json")
    assert result.code == 0
    (entry,) = json.loads(result.out)["explanations"]
    with np.load(out / entry["attention"]["arrays"], allow_pickle=False) as arrays:
        assert arrays["dcgan11.nodes"].sum() == 16
        assert arrays["dcgan1.collected"].mean() == pytest.approx(1, abs=1e-4)
        assert len(arrays.files) == 7 * 4
    page = (out / "explanation.html").read_text(encoding="utf-8")
    assert page.count("<strong>dcgan") == 3 * 7, "nodes and two masks"
    values = np.load(out / entry["heat_maps"][0]["values"], allow_pickle=False)
    assert (values.min(), values.max()) == (0, 1)


def test_ctrl_c_keeps_what_was_explained(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Classifier.heat_maps

    def interrupted(
        self: Classifier, images: list[Prepared], codes: list[str], methods: list[str], target: str
    ) -> list[list[HeatMap]]:
        if images[0].id == "a":
            return real(self, images, codes, methods, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Classifier, "heat_maps", interrupted)
    out = tmp_path / "out"
    result = run("explain", study, "--checkpoint", checkpoint, "--out", out, "--methods", "hirescam")
    index = json.loads((out / "explanations.json").read_text())
    assert result.code == 1
    assert [entry["id"] for entry in index["explanations"]] == ["a"]
    assert len(index["failures"]) == 3
    assert all("stopped" in failure["reason"] for failure in index["failures"])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--methods", "gradcam"], "gradcam++"),
        (["--methods", ""], "hirescam"),
        (["--class", "nevus"], "NV"),
        (["--target", "nowhere"], "effnet"),
        (["--target", "xceptmod"], "no map"),
        (["--attention"], "no graph attention"),
        (["--checkpoint", "."], "config.json"),
        (["--out", "a.png"], "--out"),
    ],
)
def test_bad_usage_is_exit_code_2_and_a_sentence(
    *,
    run: Run,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    word: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_lesion(Path("a.png"))
    result = run("explain", "a.png", "--checkpoint", checkpoint, "--methods", "hirescam", *options)
    assert (result.code, result.out) == (2, "")
    assert word in result.err
    assert "Traceback" not in result.err
    assert not list(tmp_path.rglob("*.npy"))


def test_prediction_report_with_heat_maps(run: Run, checkpoint: Path, study: Path, tmp_path: Path) -> None:
    options = ("--checkpoint", checkpoint, "--out", tmp_path / "out", "--json")
    plain = json.loads(run("predict", study, *options).out)
    assert MEANING not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    result = run("predict", study, *options, "--heat-maps")
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert result.code == 1
    assert json.loads(result.out) == plain
    assert report.count(f"target {FUSED}</figcaption>") == 3
    assert report.count('src="data:image/jpeg;base64,') == 4 * 3
    assert MEANING in report
    assert DEFAULT_METHOD in SIX


def test_heat_maps_need_a_report_to_stand_in(run: Run, checkpoint: Path, study: Path) -> None:
    result = run("predict", study, "--checkpoint", checkpoint, "--heat-maps")
    assert (result.code, result.out) == (2, "")
    assert "--out" in result.err
