"""The content tree of the structured report: who observed, the finding, all probabilities, the decision."""

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    NumContentItem,
    ObserverContext,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from transxv2s import __version__
from transxv2s.finding import Finding
from transxv2s.serve.formats.filing import ImageReference
from transxv2s.serve.formats.terms import ALGORITHM, SNOMED_CT, name_of, verdict

CONTAINS = RelationshipTypeValues.CONTAINS
INFERRED_FROM = RelationshipTypeValues.INFERRED_FROM
HAS_PROPERTIES = RelationshipTypeValues.HAS_PROPERTIES
PERCENT_DIGITS = 6  # of 16 characters that a decimal string may have


def content(finding: Finding, image: ImageReference | None) -> ContainerContentItem:
    """The tree's root, with the source image as what the finding is inferred from, where there is one."""
    root = ContainerContentItem(codes.LN.DiagnosticImagingReport, is_content_continuous=False)
    root.ContentSequence = ContentSequence([*_observer(finding)])
    root.ContentSequence.extend(
        [
            _section(codes.DCM.Findings, [_finding(finding, image), *_quality(finding)]),
            _section(codes.DCM.Impressions, _differential(finding)),
            _section(codes.DCM.Recommendations, [_decision(finding)]),
            TextContentItem(codes.DCM.Comment, finding.notice, CONTAINS),
        ]
    )
    return root


def _observer(finding: Finding) -> ContentSequence:
    """TID 1002: a device; its UID is the same for the same checkpoint."""
    device = DeviceObserverIdentifyingAttributes(
        uid=generate_uid(entropy_srcs=[ALGORITHM, finding.model, finding.checkpoint]),
        name=ALGORITHM,
        manufacturer_name=ALGORITHM,
        model_name=finding.model,
        serial_number=finding.checkpoint,
    )
    return ObserverContext(CodedConcept.from_code(codes.DCM.Device), device)


def _section(heading: Code, items: list[ContentItem]) -> ContainerContentItem:
    section = ContainerContentItem(heading, is_content_continuous=False, relationship_type=CONTAINS)
    section.ContentSequence = ContentSequence(items)
    return section


def _finding(finding: Finding, image: ImageReference | None) -> ContentItem:
    """The predicted class, its certainty, the algorithm (TID 4019) and the source."""
    item = _diagnosis(codes.DCM.Finding, finding.predicted, finding.probabilities[finding.predicted])
    algorithm = AlgorithmIdentification(
        ALGORITHM, __version__, [f"model {finding.model}", f"checkpoint {finding.checkpoint}"]
    )
    item.ContentSequence = ContentSequence([*algorithm, *item.ContentSequence])
    if image is not None:
        item.ContentSequence.append(
            ImageContentItem(
                codes.DCM.SourceImage, image.sop_class, image.instance, relationship_type=INFERRED_FROM
            )
        )
    return item


def _differential(finding: Finding) -> list[ContentItem]:
    """Every class with its probability: what it may be, not what was found."""
    name = codes.DCM.DifferentialDiagnosisImpression
    return [_diagnosis(name, code, chance) for code, chance in finding.probabilities.items()]


def _diagnosis(name: Code, code: str, probability: float) -> ContentItem:
    """A class by its SNOMED CT concept, or in words where it has none; "certainty" is DICOM's word."""
    item: ContentItem
    if code in SNOMED_CT:
        value, meaning = SNOMED_CT[code]
        item = CodeContentItem(name, CodedConcept(value, "SCT", meaning), CONTAINS)
    else:
        item = TextContentItem(name, name_of(code), CONTAINS)
    percent = round(100 * probability, PERCENT_DIGITS)
    certainty = NumContentItem(
        codes.DCM.CertaintyOfFinding, percent, codes.UCUM.Percent, relationship_type=HAS_PROPERTIES
    )
    item.ContentSequence = ContentSequence([certainty])
    return item


def _quality(finding: Finding) -> list[ContentItem]:
    return [TextContentItem(codes.DCM.QualityFinding, note, CONTAINS) for note in finding.quality]


def _decision(finding: Finding) -> ContentItem:
    """The decision, with a comment for each reason."""
    item = TextContentItem(codes.DCM.Recommendation, verdict(finding), CONTAINS)
    if finding.reasons:
        item.ContentSequence = ContentSequence(
            [TextContentItem(codes.DCM.Comment, reason, HAS_PROPERTIES) for reason in finding.reasons]
        )
    return item
