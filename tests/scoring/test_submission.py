import tarfile
from pathlib import Path

import numpy as np
import pytest

from transxv2s.errors import DataError, InputError
from transxv2s.scoring.submission import (
    align,
    read_submission,
    read_truth,
    write_submission,
)
from transxv2s.taxonomy import ISIC2018, ISIC2019, ISIC2019_UNK, project

ISIC2018_CODES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
ISIC2019_CODES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")

TWO = ("A", "B")


def test_the_columns_are_the_official_ones() -> None:
    assert ISIC2018.codes == ISIC2018_CODES
    assert (*ISIC2019.codes, "UNK") == ISIC2019_UNK.codes == ISIC2019_CODES


def test_what_is_written_is_read_back_bit_by_bit(tmp_path: Path) -> None:
    p = project(np.random.default_rng(0).dirichlet(np.full(8, 0.1), 50), ISIC2019, ISIC2019_UNK)
    ids = [f"ISIC_{n:07d}" for n in range(50)]
    write_submission(tmp_path / "s.csv", ids, p, ISIC2019_CODES)
    lines = (tmp_path / "s.csv").read_text().splitlines()
    assert lines[0] == "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"
    assert len(lines) == 51
    again = read_submission(tmp_path / "s.csv", ISIC2019_CODES)
    assert again.ids == tuple(ids)
    assert (again.probabilities == p).all()
    assert not again.probabilities[:, 8].any()


def test_messy_but_clear_files_are_read(tmp_path: Path) -> None:
    """A byte-order mark, CRLF, other column order, whole numbers, file names for ids."""
    (tmp_path / "s.csv").write_bytes(b"\xef\xbb\xbfB,image,A\r\n1,x.jpg,0\r\n0.25,y,7.5e-1\r\n")
    ids, p = read_submission(tmp_path / "s.csv", TWO)
    assert ids == ("x", "y")
    assert p.tolist() == [[0, 1], [0.75, 0.25]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("image,A,B\nx,0,1\nx.JPG,1,0\n", r"1 image has more than one, for example x"),
        ("image,A\nx,0\n", "misses B"),
        ("image,A,B,C,C\nx,0,1,0,0\n", "too many: C, C"),
        ("image,A,B,A\nx,0,1,0\n", "too many: A"),
        ("image,A,B\nx,0,much\ny,0,\nz,0\nw,nan,0\nv,1,0\n", "4 images have a value .* example x, y, z, …"),
        ("image,A,B\nx,0,1.5\ny,-1,0\nz,inf,0\n", "3 images have a value outside 0 to 1"),
        ("image,A,B\nx,0,2\ny,-1,oh\n", "1 image has .* no number, for example y; 2 images have .* outside"),
        ("image,A,B\nx,0,1,1\n", "1 image has more values than columns, for example x"),
        ("name,A,B\nx,0,1\n", "needs a column image"),
        ("image,A,B\n", "at least one row"),
        ("", "needs a column image"),
        ("image,A,B\n\xff,0,1\n", "not a CSV file in UTF-8"),
    ],
)
def test_faulty_submissions_are_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "s.csv").write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=sentence):
        read_submission(tmp_path / "s.csv", TWO)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv is missing"):
        read_submission(tmp_path / "nowhere.csv", TWO)


def test_what_cannot_be_submitted_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    with pytest.raises(InputError, match=r"1 images and 2 codes do not fit probabilities \(2, 2\)"):
        write_submission(path, ["x"], np.eye(2), TWO)
    with pytest.raises(InputError, match="outside or NaN"):
        write_submission(path, ["x", "y"], np.array([[0, 1], [np.nan, 0]]), TWO)
    with pytest.raises(DataError, match="1 image has more than one, for example x"):
        write_submission(path, ["x", "x"], np.eye(2), TWO)
    assert not path.exists()


def test_truth_with_weights(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "image,A,B,score_weight,validation_weight\nx,1.0,0.0,1,0\ny,0,1,0.5,1\nISIC_0035068,0,1,1,1\n"
    )
    truth = read_truth(tmp_path / "t.csv")
    assert truth.ids == ("x", "y", "ISIC_0035068")
    assert truth.codes == TWO
    assert truth.labels.tolist() == [0, 1, 1]
    assert truth.score_weights.tolist() == [1, 0.5, 0]
    assert truth.validation_weights.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("image,A,B\nx,1,1\ny,0,0\nz,0.5,0.5\nw,1,0\nv,1,?\n", "4 images have not exactly one, .* x, y, z"),
        ("image,A,B,score_weight\nx,1,0,-1\ny,1,0,\nz,1,0,2\n", "score_weight must .* 2 images have none"),
        ("image,A,B\nx,1,0\nx,1,0\n", "more than one"),
        ("image,score_weight\nx,1\n", "names no class"),
    ],
)
def test_faulty_truth_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError, match=sentence):
        read_truth(tmp_path / "t.csv")


def test_real_ground_truth(shared_dir: Path, tmp_path: Path) -> None:
    name = "isic2019/ISIC_2019_Training_GroundTruth.csv"
    with tarfile.open(shared_dir / "data" / "isic2019.tar") as archive:
        archive.extract(name, tmp_path, filter="data")
    truth = read_truth(tmp_path / name)
    assert truth.codes == ISIC2019_CODES
    assert np.bincount(truth.labels, minlength=9).tolist() == [4522, 12875, 3323, 867, 2624, 239, 253, 628, 0]


def test_align_finds_each_image() -> None:
    ids = ["c", "a", "b"]
    assert [ids[n] for n in align(ids, ["a", "b", "c"])] == ["a", "b", "c"]


def test_align_counts_what_differs() -> None:
    with pytest.raises(
        DataError, match=r"4 images are missing, for example b, c, d, …; 1 image is not asked"
    ):
        align(["a", "z"], ["a", "b", "c", "d", "e"])
    with pytest.raises(DataError, match="the predictions must have one row"):
        align(["a", "a"], ["a"])
    with pytest.raises(DataError, match="the truth must have one row"):
        align(["a"], ["a", "a"])
