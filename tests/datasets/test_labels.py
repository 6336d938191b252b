"""From what people write as a diagnosis to a class."""

from pathlib import Path

import pytest

from transxv2s.datasets.labels import (
    RESERVED,
    Labels,
    OwnClasses,
    natural,
    parse,
    taxonomy_named,
    taxonomy_of,
)
from transxv2s.errors import ConfigError, DataError
from transxv2s.evaluation.table import DIGEST, PLAIN
from transxv2s.taxonomy import ISIC2018, ISIC2019, NEVUS_MELANOMA, Behaviour


def test_codes_and_english_names_need_no_map() -> None:
    labels = Labels(ISIC2019, None, "t.csv")
    given = ["MEL", "mel", " Melanoma ", "melanocytic nevus", "scc"]
    labels.check(given)
    assert [labels.position(label) for label in given] == [0, 0, 0, 1, 7]
    assert len(natural(ISIC2019.classes)) == 16


def test_a_map_takes_the_place_of_names() -> None:
    labels = Labels(NEVUS_MELANOMA, {"Benign": "nv", "malignant": "MEL", "seborrheic keratosis": "-"}, "t")
    assert [labels.position(label) for label in ("benign", "MALIGNANT", "seborrheic keratosis")] == [
        1,
        0,
        None,
    ]
    with pytest.raises(DataError, match=r"'NV' \(1\)"):
        labels.check(["NV"])


def test_unknown_labels_are_counted_with_what_to_do() -> None:
    labels = Labels(ISIC2019, None, "t.csv")
    given = ["nevus"] * 3 + ["wart"] + ["MEL"] * 5
    with pytest.raises(DataError) as caught:
        labels.check(given)
    assert str(caught.value) == (
        "t.csv: labels of no known meaning, with how many images have them: 'nevus' (3), 'wart' (1); "
        "give a label map such as nevus=NV, or nevus=- to leave such images out"
    )
    with pytest.raises(DataError, match=r"'l7' \(1\) and 12 more;"):
        labels.check([f"l{i}" for i in range(20)])


@pytest.mark.parametrize(
    ("label_map", "said"),
    [
        ({"a": "AKIEC"}, "names AKIEC, unknown to isic2019, which has MEL, NV"),
        ({"Nevus": "NV", "nevus": "MEL"}, "gives 'Nevus' two codes"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(label_map: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Labels(ISIC2019, label_map, "t.csv")


def test_pairs() -> None:
    assert parse("nevus = NV,melanoma=MEL, a=b=-") == {"nevus": "NV", "melanoma": "MEL", "a=b": "-"}


@pytest.mark.parametrize("text", ["nevus=NV,melanoma", "nevus=", "=NV", "nevus=NV,nevus=MEL", "a=NV,"])
def test_pairs_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must name each label once"):
        parse(text)


def test_a_file_of_pairs(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("nevus: NV\n'melanoma, in situ': MEL\n1: BCC\nother: '-'\nodd:\n")
    expected = {"nevus": "NV", "melanoma, in situ": "MEL", "1": "BCC", "other": "-", "odd": "-"}
    assert parse(str(path)) == expected


@pytest.mark.parametrize("content", ["- a\n", "a: [", "\0"])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"map\.yaml"):
        parse(str(path))
    with pytest.raises(ConfigError, match="neither pairs"):
        parse(str(tmp_path / "none.yaml"))


def test_akiec_speaks_for_seven_classes() -> None:
    assert taxonomy_of(["NV", "akiec"]) is ISIC2018
    assert taxonomy_of(["NV", "AK"]) is ISIC2019


def test_own_classes_keep_the_known_ones_and_are_unknown_unless_told() -> None:
    wanted = OwnClasses({"wart": "benign"})
    taxonomy = taxonomy_of(["Wart", "melanoma", "SCC", " wart ", "Angioma", "-"], wanted)
    assert [(c.code, c.name, c.behaviour) for c in taxonomy.classes] == [
        ("MEL", "melanoma", "malignant"),
        ("SCC", "squamous cell carcinoma", "malignant"),
        ("ANGIOMA", "angioma", "unknown"),
        ("WART", "wart", "benign"),
    ]
    assert taxonomy[taxonomy.codes[2]].needs_expert
    assert Labels(taxonomy, None, "t").position("wart") == 3


def test_own_classes_that_are_a_taxonomys_are_that_taxonomy() -> None:
    assert taxonomy_of(["nv", "melanoma"], OwnClasses()) is NEVUS_MELANOMA
    assert taxonomy_of(["AKIEC"], ISIC2019) is ISIC2019


@pytest.mark.parametrize(
    ("behaviours", "names", "said"),
    [
        ({"MEL": "benign"}, ["MEL", "wart"], "a behaviour is given for MEL, but .* one: WART"),
        ({"cyst": "benign"}, ["MEL", "NV"], "given for CYST, but .* it has none"),
        ({}, ["wart", "WART"], "name 1 class: it takes two"),
        ({}, ["wart", "label"], "have a column LABEL: give that class another name"),
    ],
)
def test_own_classes_that_make_no_taxonomy_are_refused(
    behaviours: dict[str, Behaviour], names: list[str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        taxonomy_of(names, OwnClasses(behaviours))


def test_a_taxonomy_is_named() -> None:
    assert taxonomy_named("isic2018") is ISIC2018
    assert taxonomy_named("own", {"WART": "benign"}) == OwnClasses({"WART": "benign"})
    with pytest.raises(ConfigError, match=r"'ham' is unknown: take one of isic2019, .*, own"):
        taxonomy_named("ham")
    with pytest.raises(ConfigError, match="isic2018 has them already"):
        taxonomy_named("isic2018", {"NV": "benign"})


def test_reserved_names_are_the_columns_of_predictions() -> None:
    assert {name.upper() for name in (*PLAIN, DIGEST)} == RESERVED
