"""A finding is one JSON document that comes back as it went, and never contradicts itself."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from transxv2s import NOTICE
from transxv2s.finding import Finding
from transxv2s.taxonomy import ISIC2019


def values() -> dict[str, Any]:
    return {
        "id": "ISIC_0000001",
        "probabilities": dict(zip(ISIC2019.codes, [0.1, 0.3, 1 / 3, 0.2, 1 / 15, 0, 0, 0], strict=True)),
        "predicted": "BCC",
        "predicted_name": "basal cell carcinoma",
        "prediction_set": ["BCC", "NV"],
        "may_be": "basal cell carcinoma or melanocytic nevus",
        "decision": "expert_review",
        "reasons": ["could be basal cell carcinoma or melanocytic nevus"],
        "advice": "",
        "quality": ["the image is blurred: σ < 3"],
        "model": "transxv2s_net",
        "checkpoint": "0123456789ab",
    }


def test_json_round_trip_is_exact() -> None:
    finding = Finding(**values())
    assert Finding.model_validate_json(finding.to_json()) == finding


def test_json_has_the_fields_of_the_contract_in_order() -> None:
    document = json.loads(Finding(**values()).to_json())
    assert list(document) == [
        "id",
        "probabilities",
        "predicted",
        "predicted_name",
        "prediction_set",
        "may_be",
        "decision",
        "reasons",
        "advice",
        "quality",
        "model",
        "checkpoint",
        "notice",
    ]
    assert tuple(document["probabilities"]) == ISIC2019.codes
    assert document["notice"] == NOTICE


def test_a_finding_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Finding(**values()).decision = "answer"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"probabilities": dict.fromkeys(ISIC2019.codes, 0.2)}, "sum to 1"),
        ({"probabilities": dict.fromkeys(ISIC2019.codes, float("nan"))}, "sum to 1"),
        ({"prediction_set": []}, "prediction set"),
        ({"prediction_set": ["BCC", "XYZ"]}, "prediction set"),
        ({"predicted": "XYZ"}, "prediction set"),
        ({"decision": "answer"}, "reasons"),
        ({"reasons": []}, "reasons"),
        ({"decision": "diagnosis"}, "decision"),
        ({"diagnosis": "BCC"}, "diagnosis"),
    ],
)
def test_a_finding_that_contradicts_itself_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Finding(**values() | change)
