"""Reviews: each is added, the last one counts, none is lost."""

from datetime import timedelta
from typing import Any

import pytest

from serve.making import NOW, finding, make, say
from transxv2s.errors import InputError
from transxv2s.serve import audit, cases, deletion, review
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import NotFoundError
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings
from transxv2s.taxonomy import ISIC2019

MELANOMA = finding({"MEL": 0.8})


def test_reviews_are_kept_side_by_side(database: Database, store: ImageStore, settings: Settings) -> None:
    made = make(database, store, settings, MELANOMA)
    later = NOW + timedelta(hours=1)
    say(database, settings, made.id, comment="Spitz?\n»sicher« nicht")
    say(database, settings, made.id, diagnosis="NV", confidence="low", actor="uwe", now=later)
    with database.reading() as session:
        case = cases.get(session, made.id)
        entries = audit.entries(session, made.id)
        assert audit.verify(session).fault is None
    assert case.state == "reviewed"
    first, second = case.reviews
    assert (first.number, first.reviewer, first.diagnosis, first.agrees, first.confidence) == (
        1,
        "rita",
        "MEL",
        True,
        "high",
    )
    assert (first.comment, first.created_at) == ("Spitz?\n»sicher« nicht", NOW)
    assert (second.number, second.reviewer, second.diagnosis, second.agrees) == (2, "uwe", "NV", False)
    assert [(e.action, e.actor) for e in entries] == [
        ("case.created", "uta"),
        ("case.reviewed", "rita"),
        ("case.reviewed", "uwe"),
    ]


def test_an_answer_that_was_not_referred_can_be_reviewed(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    made = make(sqlite, store, settings, finding({}, referred=False))
    assert say(sqlite, settings, made.id, diagnosis="NV").agrees


def test_agreement_is_with_what_was_predicted_for_the_lesion(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    made = make(sqlite, store, settings, finding({"MEL": 0.45, "BCC": 0.1}), finding({"BCC": 0.9}))
    assert not say(sqlite, settings, made.id, diagnosis="MEL").agrees
    assert say(sqlite, settings, made.id, diagnosis="BCC").agrees


def test_images_of_a_reviewed_case_are_kept_for_the_export_but_not_longer_than_the_case(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    early, late = (make(sqlite, store, settings, MELANOMA) for _ in range(2))
    assert settings.export_days == 7
    say(sqlite, settings, early.id, now=NOW + timedelta(days=1))
    say(sqlite, settings, early.id, now=NOW + timedelta(days=2))
    say(sqlite, settings, late.id, now=NOW + timedelta(days=29))
    with sqlite.reading() as session:
        assert cases.get(session, early.id).images_until == NOW + timedelta(days=8)
        assert cases.get(session, late.id).images_until == NOW + timedelta(days=30)
        for made in (early, late):
            assert cases.get(session, made.id).expires_at == NOW + timedelta(days=30)


def test_an_expert_may_choose_any_class_or_none_of_them(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    made = make(sqlite, store, settings, MELANOMA)
    assert review.diagnoses(made) == (*ISIC2019.codes, "UNK")
    for code in review.diagnoses(made):
        assert say(sqlite, settings, made.id, diagnosis=code).agrees is (code == "MEL")


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"diagnosis": "AKIEC"}, "must be one of MEL, NV"),
        ({"diagnosis": "mel"}, "must be one of MEL, NV"),
        ({"confidence": "sure"}, "must be one of low, medium, high"),
        ({"comment": "x" * 4001}, "4,001 characters; shorten it to 4,000"),
        ({"comment": "a\x00b"}, "cannot be shown"),
        ({"comment": "a\x1bb"}, "cannot be shown"),
        ({"comment": "a\x85b"}, "cannot be shown"),
        ({"comment": "\ud800"}, "cannot be shown"),
    ],
)
def test_what_cannot_be_taken_is_refused_whole(
    database: Database, store: ImageStore, settings: Settings, wrong: dict[str, Any], complaint: str
) -> None:
    made = make(database, store, settings, MELANOMA)
    with pytest.raises(InputError, match=complaint):
        say(database, settings, made.id, **wrong)
    with database.reading() as session:
        assert cases.get(session, made.id).state == "waiting"
        assert len(audit.entries(session)) == 1


def test_the_longest_comment_and_all_kinds_of_lines_are_taken(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    made = make(database, store, settings, MELANOMA)
    comment = "a\tb\r\nc 😀" + "x" * (review.LONGEST_COMMENT - 8)
    assert len(comment) == review.LONGEST_COMMENT
    say(database, settings, made.id, comment=comment)
    with database.reading() as session:
        assert cases.get(session, made.id).reviews[0].comment == comment


def test_a_comment_is_taken_in_any_script(database: Database, store: ImageStore, settings: Settings) -> None:
    """With no-break spaces, wide and soft ones, joined letters and emoji, and lines that end otherwise."""
    made = make(database, store, settings, MELANOMA)
    comment = "5\xa0mm, 3\u202fmm, 左\u3000肩, Haut\xadkrebs, می\u200cخواهم, 👩\u200d⚕\ufe0f, a\u2028b"
    say(database, settings, made.id, comment=comment)
    with database.reading() as session:
        assert cases.get(session, made.id).reviews[0].comment == comment


def test_what_was_deleted_cannot_be_reviewed(sqlite: Database, store: ImageStore, settings: Settings) -> None:
    made = make(sqlite, store, settings, MELANOMA)
    deletion.erase(sqlite, store, made.id, actor="ada", now=NOW)
    with pytest.raises(NotFoundError, match="been deleted"):
        say(sqlite, settings, made.id)
