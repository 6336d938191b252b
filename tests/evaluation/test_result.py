"""What is said of predictions: classes compared, scores by an outside judge, referral counted by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from transxv2s.datasets.records import Record
from transxv2s.errors import DataError
from transxv2s.evaluation.answers import common_taxonomy
from transxv2s.evaluation.predictions import Predictions
from transxv2s.evaluation.result import Result, Scored, evaluate
from transxv2s.taxonomy import ISIC2018, ISIC2019, ISIC2019_UNK, NEVUS_MELANOMA, Taxonomy


def predictions(data: Taxonomy, codes: list[str], seed: int = 0) -> Predictions:
    """Random predictions of a network with 8 classes, for images with these labels."""
    random = np.random.default_rng(seed)
    records = tuple(
        Record(f"i{i}", Path("x"), data.index(code), None, "AB"[i % 2], 10.0 * (i % 9), "female")
        for i, code in enumerate(codes)
    )
    probabilities = random.dirichlet(np.ones(len(ISIC2019)), len(codes))
    angles = np.where(np.arange(len(codes)) % 4 == 0, np.nan, 60.0)
    return Predictions(
        records,
        tuple(record.id for record in records),
        probabilities,
        probabilities,
        probabilities > 0.2,
        random.random(len(codes)) < 0.5,
        angles,
        {},
    )


def said(made: Predictions, data: Taxonomy, trained: Sequence[str] = ISIC2019.codes) -> tuple[Result, Scored]:
    """Of a network with eight classes; each image is a lesion of its own."""
    return evaluate(
        predictions=made,
        model=ISIC2019,
        data=data,
        trained=trained,
        floor=0.5,
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ISIC2019, "isic2019"),
        (ISIC2018, "isic2018"),
        (ISIC2019_UNK, "isic2019"),
        (NEVUS_MELANOMA, "nevus-melanoma"),
    ],
)
def test_the_classes_in_which_a_network_with_eight_is_scored(data: Taxonomy, expected: str) -> None:
    assert common_taxonomy(ISIC2019, data).name == expected


def test_a_coarser_network_is_scored_in_its_own_classes() -> None:
    assert common_taxonomy(ISIC2018, ISIC2019) == ISIC2018


def test_seven_classes_add_actinic_keratosis_and_squamous_cell_carcinoma() -> None:
    made = predictions(ISIC2018, [*ISIC2018.codes] * 6)
    result, scored = said(made, ISIC2018)
    p = made.probabilities
    seven = np.stack([p[:, 0], p[:, 1], p[:, 2], p[:, 3] + p[:, 7], p[:, 4], p[:, 5], p[:, 6]], axis=1)
    assert np.allclose(scored.probabilities, seven)
    judge = balanced_accuracy_score([r.label for r in made.records], seven.argmax(1))
    assert result["scores"]["balanced_accuracy"]["value"] == pytest.approx(judge)
    assert result["official"]
    assert result["official"]["balanced_accuracy"] == pytest.approx(judge)


def test_the_class_that_no_network_knows_counts_in_the_official_rules_alone() -> None:
    codes = [*ISIC2019_UNK.codes] * 5
    made = predictions(ISIC2019_UNK, codes)
    result, scored = said(made, ISIC2019_UNK)
    known = [i for i, code in enumerate(codes) if code != "UNK"]
    assert scored.ids == [f"i{i}" for i in known]
    assert result["scores"]["images"] == 40
    assert "5 images are of no class of the network" in result["notes"][0]
    truth, predicted = [r.label for r in made.records], made.probabilities.argmax(1)
    assert result["official"]
    assert result["official"]["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    unknown = [code == "UNK" for code in codes]
    unheard_of = result["referral"]["behaviour"][-1]
    assert unheard_of["referred"]["value"] == pytest.approx(made.referred[unknown].mean())
    assert unheard_of["accuracy_of_answers"]["value"] == 0


def test_only_classes_of_both_sides_are_scored() -> None:
    made = predictions(ISIC2019, ["MEL", "NV", "DF", "VASC"] * 10)
    result, scored = said(made, ISIC2019, ["MEL", "NV", "BCC"])
    assert set(scored.labels.tolist()) == {ISIC2019.index("MEL"), ISIC2019.index("NV")}
    assert result["notes"][0].startswith("20 images are of classes never trained on and are left out")
    assert "DF" in result["scores"]["absent"]


def test_nevus_or_melanoma_is_asked_given_that_it_is_one_of_them() -> None:
    made = predictions(NEVUS_MELANOMA, ["MEL", "NV"] * 20)
    result, scored = said(made, NEVUS_MELANOMA)
    p = made.probabilities[:, :2]
    assert np.allclose(scored.probabilities, p / p.sum(1, keepdims=True))
    assert "given that the lesion is one of MEL, NV" in result["notes"][-1]


def test_without_any_official_weight_there_is_no_official_score() -> None:
    made = predictions(ISIC2019, ["MEL", "NV"] * 3)
    ids = [r.id for r in made.records]
    result, _ = evaluate(
        predictions=made,
        model=ISIC2019,
        data=ISIC2019,
        trained=ISIC2019.codes,
        floor=0.5,
        weights=dict.fromkeys(ids, 0.0),
    )
    assert result["official"] is None
    assert result["scores"]["images"] == 6


def test_referral_is_counted_by_need() -> None:
    codes = ["MEL", "AK", "NV", "BKL"] * 10
    made = predictions(ISIC2019, codes)
    result, _ = said(made, ISIC2019)
    needs = np.array([code in ("MEL", "AK") for code in codes])
    named = made.adjusted.argmax(1)
    right = named == [r.label for r in made.records]
    suspected = np.array([c.needs_expert for c in ISIC2019.classes])[named]
    whole = result["referral"]["all"][0]
    assert whole["referred"]["value"] == pytest.approx(made.referred.mean())
    assert whole["accuracy_of_answers"]["value"] == pytest.approx(right[~made.referred].mean())
    assert whole["safe"]["value"] == pytest.approx((made.referred | suspected)[needs].mean())
    behaviours = [row["group"] for row in result["referral"]["behaviour"]]
    assert behaviours == ["malignant", "precancerous", "benign"]
    assert [row["group"] for row in result["referral"]["class"]] == ["MEL", "NV", "AK", "BKL"]
    melanoma = result["referral"]["class"][0]
    of_melanoma = np.array([code == "MEL" for code in codes])
    assert melanoma["caught"]["value"] == pytest.approx((made.referred | right)[of_melanoma].mean())
    assert {"source", "sex", "age", "site", "skin tone"} < result["referral"].keys()


def test_referral_counts_the_answer_that_the_user_gets_and_not_one_in_other_classes() -> None:
    """AK and SCC make .60 of AKIEC, but the class that is named to the user is the nevus."""
    codes = ["AKIEC"] * 20 + ["NV"] * 20
    made = predictions(ISIC2018, codes)
    p = np.zeros((40, 8))
    p[:, [ISIC2019.index(code) for code in ("NV", "AK", "SCC")]] = (0.4, 0.3, 0.3)
    result, _ = said(replace(made, probabilities=p, adjusted=p, referred=np.zeros(40, bool)), ISIC2018)
    by_class = {row["group"]: row for row in result["referral"]["class"]}
    assert by_class["AKIEC"]["accuracy_of_answers"]["value"] == 0
    assert by_class["AKIEC"]["safe"]["value"] == 0
    assert by_class["AKIEC"]["missed_per_1000"]["value"] == 1000
    assert by_class["NV"]["accuracy_of_answers"]["value"] == 1
    assert result["scores"]["per_class"]["AKIEC"]["recall"] == 1, "scores are of the data set's classes"
    assert result["official"]
    assert result["official"]["balanced_accuracy"] == 0.5


def test_an_answer_of_a_class_that_is_part_of_the_true_one_is_right() -> None:
    made = predictions(ISIC2018, ["AKIEC"] * 20)
    p = np.eye(8)[[ISIC2019.index("SCC")] * 20]
    result, _ = said(replace(made, probabilities=p, adjusted=p, referred=np.zeros(20, bool)), ISIC2018)
    (row,) = result["referral"]["class"]
    assert row["accuracy_of_answers"]["value"] == row["safe"]["value"] == 1


def test_a_class_that_the_data_set_has_no_room_for_is_a_wrong_answer() -> None:
    made = predictions(NEVUS_MELANOMA, ["NV"] * 20)
    p = np.tile(np.eye(8)[ISIC2019.index("BKL")] * 0.6 + np.eye(8)[ISIC2019.index("NV")] * 0.4, (20, 1))
    result, _ = said(replace(made, probabilities=p, adjusted=p, referred=np.zeros(20, bool)), NEVUS_MELANOMA)
    assert result["referral"]["all"][0]["accuracy_of_answers"]["value"] == 0


def test_the_class_that_is_named_need_not_be_the_most_probable_one() -> None:
    codes = [*ISIC2019.codes] * 6
    made = predictions(ISIC2019, codes)
    adjusted = np.roll(made.probabilities, 1, axis=1)
    shifted = replace(made, adjusted=adjusted)
    result, scored = said(shifted, ISIC2019)
    truth = [r.label for r in made.records]
    judge = balanced_accuracy_score(truth, adjusted.argmax(1))
    assert result["scores"]["balanced_accuracy"]["value"] == pytest.approx(judge)
    assert result["official"]
    assert result["official"]["balanced_accuracy"] == pytest.approx(judge)
    plain, _ = said(made, ISIC2019)
    for name in ("macro_auc", "nll", "ece"):
        assert result["scores"][name] == plain["scores"][name]
    assert np.array_equal(scored.take([3, 4]).adjusted, adjusted[3:5])
    (women,) = result["subgroups"]["sex"]
    assert women["balanced_accuracy"]
    assert women["balanced_accuracy"]["value"] == pytest.approx(judge)


def test_groups_are_told_apart() -> None:
    made = predictions(ISIC2019, ["MEL", "NV"] * 45)
    result, _ = said(made, ISIC2019)
    sizes = {name: {g["group"]: g["images"] for g in rows} for name, rows in result["subgroups"].items()}
    assert sizes["source"] == {"A": 45, "B": 45}
    assert sizes["sex"] == {"female": 90}
    assert sizes["site"] == {"unknown": 90}
    assert sizes["skin tone"] == {"very light": 67, "unknown": 23}
    assert list(sizes["age"]) == ["0–29", "30–49", "50–69", "70+"]


def test_nothing_to_score_is_refused() -> None:
    made = predictions(ISIC2019, ["DF"] * 3)
    with pytest.raises(
        DataError, match="none of the images is of a class that the checkpoint was trained on"
    ):
        said(made, ISIC2019, ["MEL"])


def test_official_weights_count_in_the_official_rules_alone() -> None:
    codes = [*ISIC2019.codes] * 6
    made = predictions(ISIC2019, codes)
    ignored = {f"i{i}": 0.0 for i in range(8)}
    both = [
        evaluate(
            predictions=some,
            model=ISIC2019,
            data=ISIC2019,
            trained=ISIC2019.codes,
            floor=0.5,
            weights=weights,
        )[0]
        for some, weights in ((made, ignored), (_from(made, 8), None), (made, None))
    ]
    assert both[0]["official"] == both[1]["official"] != both[2]["official"]
    assert both[0]["scores"] == both[2]["scores"]


def _from(made: Predictions, first: int) -> Predictions:
    return Predictions(
        made.records[first:],
        made.lesions[first:],
        made.probabilities[first:],
        made.adjusted[first:],
        made.members[first:],
        made.referred[first:],
        made.skin_angle[first:],
        {},
    )
