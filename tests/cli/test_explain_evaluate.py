"""`transxv2s explain --evaluate` on a small HAM10000 of drawn lesions."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from .conftest import Run, draw_lesion

SPOTS = {"ISIC_1": "nv", "ISIC_2": "mel", "ISIC_3": "bcc"}


@pytest.fixture
def ham10000(tmp_path: Path) -> Path:
    """Three lesions with their masks, laid out as published."""
    root = tmp_path / "ham"
    rows = ["lesion_id,image_id,dx,dx_type,age,sex,localization"]
    for seed, (image, diagnosis) in enumerate(SPOTS.items()):
        path = draw_lesion(root / "HAM10000_images" / f"{image}.png", seed)
        rows.append(f"HAM_{seed},{image},{diagnosis},histo,50,male,back")
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        mask = np.where(grey < 110, 255, 0).astype(np.uint8)
        folder = root / "HAM10000_segmentations_lesion_tschandl"
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"{image}_segmentation.png"), mask)
    (root / "HAM10000_metadata.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.mark.usefixtures("with_bfloat16")
def test_judges_methods_and_goes_on_where_it_was(
    run: Run, checkpoint: Path, ham10000: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ("explain", "--evaluate", ham10000, "--checkpoint", checkpoint, "--out", out)
    one = run(*command, "--methods", "eigencam", "--number", "1", "--json")
    assert one.code == 0, one.err
    results = json.loads(one.out)
    assert json.loads((out / "faithfulness.json").read_text()) == results
    assert (results["images"], results["settings"]["dataset"]) == (1, "ham10000")
    assert set(results["means"]) == {"eigencam", "random", "centre"}
    assert (out / "faithfulness.png").read_bytes().startswith(b"\x89PNG")
    rows = (out / "faithfulness.csv").read_bytes()
    two = run(*command, "--methods", "eigencam", "--number", "2")
    assert two.code == 0, two.err
    assert (out / "faithfulness.csv").read_bytes().startswith(rows)
    assert "2 images of 2 lesions, 95 % intervals" in two.out
    assert "Agreement: mean rank correlation of two maps" in two.out
    for failure in json.loads((out / "faithfulness.json").read_text())["verdicts"]["eigencam"]["failures"]:
        assert f"eigencam: {failure}" in two.out
    assert "Seen before, and left out: unknown: the checkpoint does not carry the list" in two.out
    for more in (("--methods", "hirescam"), ("--methods", "eigencam", "--bfloat16")):
        other = run(*command, *more, "--number", "2")
        assert other.code == 2
        assert "or name another folder with --out" in other.err


@pytest.mark.parametrize("more", [("photo.png",), ("--class", "MEL"), ("--attention",)])
def test_what_means_nothing_beside_it_is_refused(run: Run, tmp_path: Path, more: tuple[str, ...]) -> None:
    result = run("explain", "--evaluate", tmp_path, *more)
    assert result.code == 2
    assert "--evaluate chooses images itself" in result.err


@pytest.mark.usefixtures("without_bfloat16")
def test_nothing_is_scored_in_what_the_processor_does_not_compute_in(
    run: Run, checkpoint: Path, ham10000: Path, tmp_path: Path
) -> None:
    result = run(
        *("explain", "--evaluate", ham10000, "--checkpoint", checkpoint, "--out", tmp_path / "out"),
        "--bfloat16",
    )
    assert result.code == 2
    assert "This processor does not compute in bfloat16: leave bfloat16 out." in result.err


def test_masks_are_needed(run: Run, checkpoint: Path, ham10000: Path, tmp_path: Path) -> None:
    for mask in (ham10000 / "HAM10000_segmentations_lesion_tschandl").iterdir():
        mask.unlink()
    result = run("explain", "--evaluate", ham10000, "--checkpoint", checkpoint, "--out", tmp_path / "out")
    assert result.code == 2
    assert "unpack the masks of HAM10000" in result.err


def test_nothing_to_explain(run: Run) -> None:
    result = run("explain")
    assert result.code == 2
    assert "name images" in result.err
