"""The HTML report: what it says, and that it needs nothing beside it."""

import base64
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from pydantic import JsonValue

from transxv2s import NOTICE
from transxv2s.checkpoint import CheckpointConfig
from transxv2s.finding import Finding
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.reports.page import percent
from transxv2s.reports.pictures import data_uri, thumbnail
from transxv2s.reports.prediction import Card, Failure, Pictures, render
from transxv2s.taxonomy import ISIC2019
from transxv2s.trust.judgement import advice
from trusting import plain_trust

MOMENT = datetime(2026, 3, 4, 15, 6, tzinfo=UTC)
TEST: dict[str, JsonValue] = {
    "balanced_accuracy": {"value": 0.6123, "low": 0.58, "high": 0.6449},
    "images": 4012,
    "split": "test part of lesions",
}
NEVUS = (0.04, 0.87, 0.02, 0.01, 0.03, 0.01, 0.01, 0.01)
MELANOMA = (0.5, 0.3, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01)


def card(name: str = "mole", probabilities: tuple[float, ...] = NEVUS, reasons: tuple[str, ...] = ()) -> Card:
    codes = sorted(ISIC2019.codes, key=lambda code: -probabilities[ISIC2019.index(code)])
    finding = Finding(
        id=name,
        probabilities=dict(zip(ISIC2019.codes, probabilities, strict=True)),
        predicted=codes[0],
        predicted_name=ISIC2019[codes[0]].name,
        prediction_set=codes[:2],
        may_be=" or ".join(ISIC2019[code].name for code in codes[:2]),
        decision="expert_review" if reasons else "answer",
        reasons=list(reasons),
        advice="" if reasons else advice(codes[0], ISIC2019),
        quality=[reason for reason in reasons if "blurred" in reason],
        model="transxv2s_net",
        checkpoint="0123456789ab",
    )
    skin = np.full((90, 120, 3), (200, 150, 130), np.uint8)
    return Card(f"folder/{name}.png", finding, Pictures(data_uri(skin), data_uri(skin[:64, :64])))


def report(
    *cards: Card, failures: tuple[Failure, ...] = (), metrics: dict[str, JsonValue] | None = None
) -> str:
    config = CheckpointConfig(
        variant="transxv2s_net",
        preprocessing=Preprocessing(),
        trust=plain_trust(fitted_on="1,900 images"),
        metrics={"test": TEST} if metrics is None else metrics,
    )
    return render(cards, failures, config, "0123456789ab", MOMENT)


class Page(HTMLParser):
    """Collects tags with their attributes, and the text outside of `<style>`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] and self.tags[-1][0] != "style":
            self._words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self._words)

    def having(self, attribute: str) -> Iterator[tuple[str, str]]:
        return ((tag, a[attribute] or "") for tag, a in self.tags if attribute in a)


def test_head_says_how_many_what_model_how_good_and_what_it_is_not() -> None:
    review = card("b", MELANOMA, ("looks most like melanoma, which always needs an expert",))
    text = Page(report(card("a"), review, card("c"), failures=(Failure("x.jpg", "it is damaged"),))).text
    for part in (
        "4 March 2026, 15:06 UTC",
        f"Not a diagnosis. {NOTICE}",
        "Images examined 3 Need an expert 1 Could not be examined 1",
        "Model transxv2s_net Checkpoint 0123456789ab",
        "Balanced accuracy 61.2 % (interval 58.0 to 64.5 %) on 4,012 images: test part of lesions.",
        "1,900 images, the true class is among them 90 % of the time",
    ):
        assert part in text


def test_head_says_how_good_it_is_where_a_hospital_calibrated_it() -> None:
    own: dict[str, JsonValue] = {"calibration": {**TEST, "split": "all images of a hospital"}}
    assert "on 4,012 images: all images of a hospital." in Page(report(card(), metrics=own)).text


@pytest.mark.parametrize(
    "metrics", [{}, {"test": {}}, {"test": {"balanced_accuracy": 0.6}}, {"validation": TEST}]
)
def test_unknown_performance_is_said_to_be_unknown(metrics: dict[str, JsonValue]) -> None:
    html = report(card(), metrics=metrics)
    assert "carries no test result" in html
    assert "Balanced accuracy" not in html


def test_answer_in_words() -> None:
    text = Page(report(card())).text
    assert "Answer: melanocytic nevus, 87 %" in text
    assert "Possible: melanocytic nevus or melanoma." in text
    assert "Expert review needed" not in text


def test_expert_review_with_its_reasons_and_each_quality_note_once() -> None:
    text = Page(report(card("b", MELANOMA, ("could be melanoma", "the image is blurred")))).text
    assert "Expert review needed Looks most like melanoma, 50 %." in text
    assert "Why could be melanoma Image quality the image is blurred Possible" in text
    assert "Answer:" not in text


def test_where_another_class_is_more_probable_than_the_one_that_is_named_the_card_says_so() -> None:
    shown = card("b", MELANOMA, ("could be melanoma",))
    assert "More probable" not in Page(report(shown)).text
    named = shown.finding.model_copy(update={"predicted": "NV", "predicted_name": "melanocytic nevus"})
    text = Page(report(Card(shown.file, named, shown.pictures))).text
    words = "Looks most like melanocytic nevus, 30 %. More probable, as it is more common: melanoma, 50 %."
    assert words in text.replace("\N{NO-BREAK SPACE}", " ")


def test_all_classes_by_probability_and_malignancy_in_words() -> None:
    text = Page(report(card("b", MELANOMA, ("could be melanoma",)))).text
    ranked = sorted(ISIC2019.classes, key=lambda c: -MELANOMA[ISIC2019.index(c.code)])
    table = text[text.index("Probabilities melanoma") :]
    places = [table.index(c.name) for c in ranked]
    assert places == sorted(places)
    for diagnosis in ISIC2019.classes:
        behaviour = "" if diagnosis.behaviour == "benign" else f" {diagnosis.behaviour}"
        share = f"{100 * MELANOMA[ISIC2019.index(diagnosis.code)]:.0f} %"
        assert f"{diagnosis.name}{behaviour} {share}" in table


def test_overview_keeps_the_order_and_links_to_the_cards() -> None:
    page = Page(report(card("second"), card("first", MELANOMA, ("could be melanoma",))))
    links = [address for tag, address in page.having("href") if tag == "a"]
    identifiers = [name for _, name in page.having("id")]
    assert links == ["#image-1", "#image-2"]
    assert set(links) <= {f"#{name}" for name in identifiers}
    assert len(set(identifiers)) == len(identifiers)
    assert page.text.index("second") < page.text.index("first")


def test_nothing_outside_is_needed_and_nothing_runs() -> None:
    page = Page(report(card()))
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for _, address in page.having("src"))
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    html = report(card())
    assert "@import" not in html
    assert "url(" not in html
    assert "http:" not in html
    assert "https:" not in html


def test_pictures_have_descriptions_and_all_headings_follow_one_another() -> None:
    page = Page(report(card()))
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    levels = [int(tag[1]) for tag, _ in page.tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_hostile_names_and_reasons_are_shown_and_not_obeyed() -> None:
    attack = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    failures = (Failure(attack, attack),)
    page = Page(report(card(attack, NEVUS, (attack,)), failures=failures))
    assert "script" not in {tag for tag, _ in page.tags}
    assert not list(page.having("onerror"))
    assert page.text.count("<script>alert(1)</script>") == 6  # overview, heading, file, reason, failure twice


def test_only_failures_and_no_pictures() -> None:
    text = Page(report(failures=(Failure("x.jpg", "it is damaged"),))).text
    assert "Could not be examined x.jpg it is damaged" in text
    assert "Overview" not in text
    assert "<img" not in report(Card("a.png", card().finding))


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0, "0 %"),
        (0.0004, "< 1 %"),
        (0.01, "1 %"),
        (0.874, "87 %"),
        (0.99, "99 %"),
        (0.9996, "> 99 %"),
        (1, "100 %"),
    ],
)
def test_percent_never_rounds_to_certainty(probability: float, text: str) -> None:
    assert percent(probability).replace("\N{NO-BREAK SPACE}", " ") == text


def test_pictures_are_small_jpegs_of_the_same_shape() -> None:
    photo = np.zeros((1500, 2000, 3), np.uint8)
    small = thumbnail(photo)
    assert small.shape == (360, 480, 3)
    assert thumbnail(small).shape == small.shape
    content = base64.b64decode(data_uri(small).removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (480, 360))
