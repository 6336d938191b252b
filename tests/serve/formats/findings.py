"""A finding to be sent."""

from typing import Any

from transxv2s.finding import Finding
from transxv2s.taxonomy import ISIC2019

CHECKPOINT = "0123456789abcdef" * 4


def finding(**changes: Any) -> Finding:
    """Referred, with reasons in words beyond ASCII; `changes` by field."""
    values: dict[str, Any] = {
        "id": "lesion-1",
        "probabilities": dict(zip(ISIC2019.codes, [0.1, 0.3, 1 / 3, 0.2, 1 / 15, 0, 0, 0], strict=True)),
        "predicted": "BCC",
        "predicted_name": "basal cell carcinoma",
        "prediction_set": ["BCC", "NV"],
        "may_be": "basal cell carcinoma or melanocytic nevus",
        "decision": "expert_review",
        "reasons": ["could be basal cell carcinoma or melanocytic nevus", "the image is blurred: σ < 3"],
        "advice": "",
        "quality": ["the image is blurred: σ < 3"],
        "model": "transxv2s_net",
        "checkpoint": CHECKPOINT,
    }
    return Finding(**(values | changes))


def answered() -> Finding:
    """Not referred, of a class without a SNOMED CT concept."""
    probabilities = dict.fromkeys(ISIC2019.codes, 0.0) | {"DF": 0.9, "NV": 0.1}
    return finding(
        probabilities=probabilities,
        predicted="DF",
        predicted_name="dermatofibroma",
        prediction_set=["DF"],
        decision="answer",
        reasons=[],
        quality=[],
        advice="Look again in three months.",
    )
