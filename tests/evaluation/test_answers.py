"""Which answers are right, in memory and read from the table of an evaluation."""

from pathlib import Path

import numpy as np
import pytest

from transxv2s.errors import DataError
from transxv2s.evaluation.answers import named_right, read_answers
from transxv2s.evaluation.table import Row, encoded
from transxv2s.taxonomy import ISIC2018, ISIC2019, ISIC2019_UNK, NEVUS_MELANOMA, Taxonomy

CASES = [
    ("AK", "AKIEC", ISIC2019, ISIC2018, True),
    ("SCC", "AKIEC", ISIC2019, ISIC2018, True),
    ("NV", "AKIEC", ISIC2019, ISIC2018, False),
    ("AKIEC", "SCC", ISIC2018, ISIC2019, True),
    ("AK", "SCC", ISIC2019, ISIC2019, False),
    ("NV", "UNK", ISIC2019, ISIC2019_UNK, False),
    ("NV", "NV", ISIC2019, ISIC2019_UNK, True),
    ("BKL", "NV", ISIC2019, NEVUS_MELANOMA, False),
    ("BKL", "MEL", ISIC2019, NEVUS_MELANOMA, False),
]


@pytest.mark.parametrize(("named", "label", "model", "data", "right"), CASES)
def test_an_answer_is_right_if_it_is_the_class_or_a_part_of_it(
    named: str, label: str, model: Taxonomy, data: Taxonomy, right: bool
) -> None:
    assert named_right([model.index(named)], [data.index(label)], model, data).tolist() == [right]


@pytest.mark.parametrize("case", CASES)
def test_the_table_alone_tells_the_same(
    case: tuple[str, str, Taxonomy, Taxonomy, bool], tmp_path: Path
) -> None:
    named, label, model, data, right = case
    p = np.linspace(0.02, 0.2, len(model))
    rows = [_row("a", named, label, p, model), _row("b", model.codes[0], data.codes[0], p, model)]
    path = tmp_path / "predictions.csv"
    path.write_text(encoded(rows, model.codes))
    found = read_answers(path)
    assert found.wrong.tolist() == [not right, False]
    assert found.confidence.tolist() == [p[model.index(named)], p[0]]
    assert found.lesions == ("lesion a", "lesion b")
    assert (found.labels[0] == found.labels[1]) == (label == data.codes[0])


@pytest.mark.parametrize("text", ["", "image,label\na,NV\n"])
def test_another_table_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"is no whole table of predictions .*: evaluate again"):
        read_answers(path)


def _row(image: str, named: str, label: str, p: np.ndarray, model: Taxonomy) -> Row:
    empty = dict.fromkeys(
        ("file", "source", "group", "prediction_set", "reasons", "skin_angle", "engine"), ""
    )
    known = {"image": image, "lesion": f"lesion {image}", "label": label, "predicted": named}
    numbers = {code.lower(): repr(float(one)) for code, one in zip(model.codes, p, strict=True)}
    return {**empty, **known, **numbers, "decision": "answer", "checkpoint": "abc"}
