"""Classes and the maps between them, against maps written out by hand and a brute-force sum."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from transxv2s.errors import InputError
from transxv2s.taxonomy import (
    ISIC2018,
    ISIC2019,
    ISIC2019_UNK,
    NEVUS_MELANOMA,
    TAXONOMIES,
    Taxonomy,
    mapping,
    project,
    relabel,
)

BY_HAND: dict[tuple[str, str], dict[str, str | None]] = {
    ("isic2019", "isic2018"): {
        **{code: code for code in ("MEL", "NV", "BCC", "BKL", "DF", "VASC")},
        "AK": "AKIEC",
        "SCC": "AKIEC",
    },
    ("isic2019", "isic2019-unk"): {code: code for code in ISIC2019.codes},
    ("isic2019-unk", "isic2019"): {**{code: code for code in ISIC2019.codes}, "UNK": None},
    ("isic2019", "nevus-melanoma"): dict.fromkeys(ISIC2019.codes) | {"MEL": "MEL", "NV": "NV"},
    ("isic2018", "nevus-melanoma"): dict.fromkeys(ISIC2018.codes) | {"MEL": "MEL", "NV": "NV"},
    ("nevus-melanoma", "isic2019"): {"MEL": "MEL", "NV": "NV"},
    ("isic2019-unk", "isic2018"): {
        **{code: code for code in ("MEL", "NV", "BCC", "BKL", "DF", "VASC")},
        **{"AK": "AKIEC", "SCC": "AKIEC", "UNK": None},
    },
}
PAIRS = [(TAXONOMIES[a], TAXONOMIES[b]) for a, b in BY_HAND]
pairs = pytest.mark.parametrize(("source", "target"), PAIRS, ids=["→".join(names) for names in BY_HAND])


def code_map(source: Taxonomy, target: Taxonomy) -> dict[str, str | None]:
    return BY_HAND[source.name, target.name]


def by_brute_force(row: Sequence[float], source: Taxonomy, target: Taxonomy) -> list[float]:
    """Adds one class after the other, then divides by what is left of the whole."""
    sums = dict.fromkeys(target.codes, 0.0)
    for code, probability in zip(source.codes, row, strict=True):
        goal = code_map(source, target)[code]
        if goal is not None:
            sums[goal] += probability
    whole = sum(sums.values())
    return [value / whole for value in sums.values()]


def rows(classes: int, seed: int = 0, count: int = 200) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), count)


def test_order_of_the_probability_vectors() -> None:
    assert ISIC2019.codes == ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC")
    assert ISIC2019_UNK.codes == (*ISIC2019.codes, "UNK")
    assert ISIC2018.codes == ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
    assert NEVUS_MELANOMA.codes == ("MEL", "NV")


def test_malignant_precancerous_and_what_an_expert_must_see() -> None:
    def codes(places: Sequence[int]) -> list[str]:
        return [ISIC2019.codes[place] for place in places]

    assert codes(ISIC2019.positions("malignant")) == ["MEL", "BCC", "SCC"]
    assert codes(ISIC2019.positions("precancerous")) == ["AK"]
    assert codes(ISIC2019.positions("malignant", "precancerous")) == ["MEL", "BCC", "AK", "SCC"]
    assert [c.code for c in ISIC2019.classes if c.needs_expert] == ["MEL", "BCC", "AK", "SCC"]
    assert ISIC2018["AKIEC"].behaviour == "precancerous"
    assert ISIC2019_UNK["UNK"].needs_expert


def test_a_code_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="'AKIEC' is not a class of isic2019: MEL, NV"):
        ISIC2019.index("AKIEC")


@pytest.mark.parametrize("taxonomy", TAXONOMIES.values(), ids=list(TAXONOMIES))
def test_codes_and_names_are_unique_and_found_by_their_place(taxonomy: Taxonomy) -> None:
    assert [taxonomy.index(code) for code in taxonomy.codes] == list(range(len(taxonomy)))
    assert len({c.name for c in taxonomy.classes}) == len(taxonomy)


@pairs
def test_every_class_goes_where_the_list_by_hand_says(source: Taxonomy, target: Taxonomy) -> None:
    goals = [code_map(source, target)[code] for code in source.codes]
    assert [None if place is None else target.codes[place] for place in mapping(source, target)] == goals


@pytest.mark.parametrize("taxonomy", TAXONOMIES.values(), ids=list(TAXONOMIES))
def test_to_itself_nothing_changes(taxonomy: Taxonomy) -> None:
    p = rows(len(taxonomy))
    np.testing.assert_array_equal(project(p, taxonomy, taxonomy), p)
    assert relabel(range(len(taxonomy)), taxonomy, taxonomy) == list(range(len(taxonomy)))


@pairs
def test_probabilities_against_brute_force(source: Taxonomy, target: Taxonomy) -> None:
    p = rows(len(source))
    found = project(p, source, target)
    expected = [by_brute_force(row, source, target) for row in p.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)


def test_any_leading_axes_and_the_input_stays_as_it_is() -> None:
    p = rows(8).reshape(4, 50, 8)
    before = p.copy()
    found = project(p, ISIC2019, ISIC2018)
    assert found.shape == (4, 50, 7)
    np.testing.assert_array_equal(found[2, 3], project(p[2, 3], ISIC2019, ISIC2018))
    np.testing.assert_array_equal(p, before)


@pairs
def test_a_certain_prediction_goes_where_its_label_goes(source: Taxonomy, target: Taxonomy) -> None:
    for place, goal in enumerate(relabel(range(len(source)), source, target)):
        found = project(np.eye(len(source))[place], source, target)
        expected = np.full(len(target), 1 / len(target)) if goal is None else np.eye(len(target))[goal]
        np.testing.assert_array_equal(found, expected)


weights = st.lists(st.floats(0, 1), min_size=8, max_size=8).filter(lambda values: sum(values) > 0.01)


@given(weights)
def test_the_winner_stays_the_winner_where_no_classes_meet(values: list[float]) -> None:
    """Renaming and dropping classes keep the order of the rest; a dropped winner leaves it to the others."""
    p = np.array(values) / sum(values)
    kept = p[[0, 1]]
    assume(abs(kept[0] - kept[1]) > 1e-9)
    assert project(p, ISIC2019, NEVUS_MELANOMA).argmax() == kept.argmax()
    assert project(p, ISIC2019, ISIC2019_UNK).argmax() == p.argmax()


@given(weights)
def test_a_winner_loses_only_to_classes_that_meet(values: list[float]) -> None:
    """Adding AK and SCC may make AKIEC win; it never makes it lose, nor changes who leads the others."""
    p = np.array(values) / sum(values)
    winner = int(p.argmax())
    assume(np.sort(p)[-1] - np.sort(p)[-2] > 1e-9)
    found = int(project(p, ISIC2019, ISIC2018).argmax())
    akiec = ISIC2018.index("AKIEC")
    assert found in (relabel([winner], ISIC2019, ISIC2018)[0], akiec)
    if ISIC2019.codes[winner] in ("AK", "SCC"):
        assert found == akiec


def test_two_classes_together_can_outweigh_the_winner() -> None:
    p = dict.fromkeys(ISIC2019.codes, 0.0) | {"NV": 0.4, "AK": 0.3, "SCC": 0.3}
    assert project(list(p.values()), ISIC2019, ISIC2018).argmax() == ISIC2018.index("AKIEC")


def test_through_seven_classes_to_two_is_straight_to_two() -> None:
    p = rows(8)
    through = project(project(p, ISIC2019, ISIC2018), ISIC2018, NEVUS_MELANOMA)
    np.testing.assert_allclose(through, project(p, ISIC2019, NEVUS_MELANOMA), rtol=1e-12)


@pytest.mark.parametrize("target", [ISIC2019, ISIC2019_UNK])
def test_akiec_is_not_taken_apart(target: Taxonomy) -> None:
    with pytest.raises(InputError, match="AKIEC of isic2018 cannot be taken apart into the classes of"):
        project(rows(7), ISIC2018, target)
    with pytest.raises(InputError, match="compare in isic2018 instead"):
        relabel([0], ISIC2018, target)


def test_a_row_without_mass_in_the_target_is_undecided() -> None:
    p = np.eye(8)[ISIC2019.index("DF")]
    np.testing.assert_array_equal(project(p, ISIC2019, NEVUS_MELANOMA), [0.5, 0.5])


@pytest.mark.parametrize("shape", [(3, 7), (9,), ()])
def test_another_number_of_columns_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="isic2019 has 8 classes, but there are"):
        project(np.full(shape, 0.1), ISIC2019, ISIC2018)


def test_labels_one_by_one() -> None:
    codes = ["SCC", "AK", "NV", "MEL", "DF"]
    positions = [ISIC2019.index(code) for code in codes]
    assert relabel(positions, ISIC2019, ISIC2018) == [3, 3, 1, 0, 5]
    assert relabel(positions, ISIC2019, NEVUS_MELANOMA) == [None, None, 1, 0, None]


@pytest.mark.parametrize("label", [-1, 8])
def test_a_label_of_no_class_is_refused(label: int) -> None:
    with pytest.raises(InputError, match=f"{label} is no class position of isic2019"):
        relabel([0, label], ISIC2019, ISIC2018)
