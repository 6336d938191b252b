"""`transxv2s data split` and `transxv2s audit` on made-up data sets with planted leaks."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from transxv2s.datasets.splits import load

from .conftest import Run

IMAGES = 40


def picture(seed: int) -> NDArray[np.uint8]:
    """A texture of its own."""
    coarse = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (120, 120), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Forty images of two classes; 0 and 1 share a lesion, 3 is 2 flipped and smaller, 5 is 4's file."""
    folder = tmp_path / "set"
    folder.mkdir()
    rows = []
    for i in range(IMAGES):
        path, seed = folder / f"i{i:02}.png", {3: 2, 5: 4}.get(i, i)
        pixels = picture(seed)
        if i == 3:
            path = path.with_suffix(".jpg")
            pixels = np.ascontiguousarray(cv2.resize(pixels, (90, 90), interpolation=cv2.INTER_AREA)[:, ::-1])
        assert cv2.imwrite(str(path), pixels)
        rows.append((f"i{i:02}", ("NV", "MEL")[i % 2], "shared" if i < 2 else f"l{i}", ("A", "B")[i % 2]))
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("image", "label", "lesion", "source"), *rows])
    return folder


def split_by_image(root: Path, path: Path, test: set[int]) -> Path:
    lines = [f"i{i:02},l{i},{i % 10},{'test' if i in test else 'train'}" for i in range(IMAGES)]
    path.write_text("\n".join(["image,lesion,fold,split", *lines]))
    return path


def test_a_split_keeps_lesions_and_copies_together_and_passes_the_audit(
    run: Run, root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "split.csv"
    made = run("data", "split", "table", "--root", root, "--out", path, "--json")
    assert made.code == 0, made.err
    split = load(path)
    assert json.loads(made.out)["digest"] == split.digest
    for one, other in (("i00", "i01"), ("i02", "i03"), ("i04", "i05")):
        assert split.lesion[one] == split.lesion[other]
        assert split.fold[one] == split.fold[other]
    assert len(split.fold) == IMAGES
    audited = run("audit", "table", "--root", root, "--split", path)
    assert audited.code == 0, audited.out
    assert "does not leak" in audited.out


@pytest.mark.parametrize(("held_out", "other", "kind"), [(1, 0, "lesion"), (3, 2, "near"), (5, 4, "exact")])
def test_a_planted_leak_is_found(
    run: Run, root: Path, tmp_path: Path, *, held_out: int, other: int, kind: str
) -> None:
    path = split_by_image(root, tmp_path / "split.csv", {held_out, 10, 11})
    result = run(
        "audit", "table", "--root", root, "--split", path, "--json", "--html", tmp_path / "a" / "p.html"
    )
    assert result.code == 1
    found = json.loads(result.out)
    assert found["leaks"]
    assert found["shared"] == [
        {
            "kind": kind,
            "image": f"i{held_out:02}",
            "subset": "test",
            "other": f"i{other:02}",
            "other_subset": "train",
        }
    ]
    assert found["affected"]["test"]["all"][kind] == 1
    page = (tmp_path / "a" / "p.html").read_text()
    assert f"i{held_out:02} (test) beside i{other:02} (train)" in page
    assert page.count("data:image/jpeg") >= 2


def test_a_broken_image_is_listed_and_the_rest_is_audited(run: Run, root: Path, tmp_path: Path) -> None:
    (root / "i20.png").write_bytes(b"\x89PNG nothing more")
    path = split_by_image(root, tmp_path / "split.csv", {3, 10})
    result = run("audit", "table", "--root", root, "--split", path, "--json", "--html", tmp_path / "p.html")
    found = json.loads(result.out)
    assert list(found["unreadable"]) == ["i20"]
    assert [entry["image"] for entry in found["shared"]] == ["i03"]
    assert "i20: " in (tmp_path / "p.html").read_text()


def test_the_terminal_names_the_leak_and_the_contradiction(run: Run, root: Path, tmp_path: Path) -> None:
    path = split_by_image(root, tmp_path / "split.csv", {3, 10})
    result = run("audit", "table", "--root", root, "--split", path)
    assert "leaks: 1 of 2 test images share a lesion or a picture with training" in result.out
    assert "i04 is NV, but i05 is MEL: identical files" in result.out


def test_the_articles_protocol_leaks_and_says_so(run: Run, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    assert run("data", "split", "table", "--root", root, "--out", path, "--protocol", "by-image").code == 0
    result = run("audit", "table", "--root", root, "--split", path, "--json")
    assert result.code == 1
    affected = json.loads(result.out)["affected"]["test"]["all"]
    assert affected["any"] > affected["images"] / 2


def test_a_hospital_is_left_out(run: Run, root: Path, tmp_path: Path) -> None:
    base, path = tmp_path / "base.csv", tmp_path / "out.csv"
    assert run("data", "split", "table", "--root", root, "--out", base).code == 0
    options = ("--protocol", "leave-source-out", "--train-on", "A", "--base", base)
    assert run("data", "split", "table", "--root", root, "--out", path, *options).code == 0
    split = load(path)
    assert {image for image, subset in split.subset.items() if subset == "test"} == {
        f"i{i:02}" for i in range(1, IMAGES, 2)
    }
    assert {image for image, subset in split.subset.items() if subset == "unused"} == {"i00", "i02", "i04"}
    assert run("audit", "table", "--root", root, "--split", path).code == 0


def test_images_are_kept_for_a_test_of_their_own(run: Run, root: Path, tmp_path: Path) -> None:
    path, table = tmp_path / "split.csv", tmp_path / "kept.csv"
    table.write_text("image_id,diagnosis\ni03,nevus\n")
    command = ("data", "split", "table", "--root", root, "--out", path, "--leave-out", table)
    assert run(*command).code == 0
    split = load(path)
    kept = {image for image, subset in split.subset.items() if subset == "unused"}
    assert kept == {image for image, lesion in split.lesion.items() if lesion == split.lesion["i03"]}
    table.write_text("file\ni03\n")
    result = run(*command)
    assert result.code == 2
    assert "names no images: it needs a column image, image_id or isic_id" in result.err


def test_an_image_outside_the_split_is_bad_usage(run: Run, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("image,lesion,fold,split\ni00,l0,0,test\n")
    result = run("audit", "table", "--root", root, "--split", path)
    assert result.code == 2
    assert "39 images are not in the split, for example i01, i02, i03, …" in result.err


def test_leave_source_out_needs_its_options(run: Run, root: Path, tmp_path: Path) -> None:
    result = run(
        "data",
        "split",
        "table",
        "--root",
        root,
        "--out",
        tmp_path / "s.csv",
        "--protocol",
        "leave-source-out",
    )
    assert (result.code, "needs both" in result.err) == (2, True)


def test_a_broken_image_of_a_leaking_lesion_is_shown_without_its_picture(
    run: Run, root: Path, tmp_path: Path
) -> None:
    path = split_by_image(root, tmp_path / "split.csv", {3})
    labels = root / "labels.csv"
    labels.write_text(labels.read_text().replace(",l20,", ",same,").replace(",l3,", ",same,"))
    (root / "i20.png").write_bytes(b"\x89PNG nothing more")
    run("audit", "table", "--root", root, "--split", path, "--html", tmp_path / "p.html")
    assert "i20 cannot be read" in (tmp_path / "p.html").read_text()


def test_leaking_pairs_are_named_as_they_are_written(run: Run, root: Path, tmp_path: Path) -> None:
    path = split_by_image(root, tmp_path / "split.csv", {3, 10})
    assert "i03 (test) leaks from" in run("audit", "table", "--root", root, "--split", path).out


@pytest.mark.parametrize(
    "option", ["--table=x.csv", "--columns=image=a", "--labels=a=NV", "--taxonomy=isic2018"]
)
def test_what_is_for_tables_is_refused_elsewhere(run: Run, root: Path, tmp_path: Path, option: str) -> None:
    result = run("data", "split", "isic2019", "--root", root, "--out", tmp_path / "s.csv", option)
    assert result.code == 2
    assert "would mean nothing for isic2019" in result.err
