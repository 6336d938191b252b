"""What DICOM and FHIR share: the diagnoses in SNOMED CT, the algorithm's name, the verdict in words."""

from transxv2s.finding import Finding
from transxv2s.taxonomy import KNOWN

ALGORITHM = "TransXV2S-Net"

# Only concepts whose code and name were confirmed by a terminology server's page, the DICOM standard (PS3.16)
# or several national code lists that agree. "Benign keratosis" and "vascular lesion" are groups of ISIC 2019
# for which SNOMED CT has no concept; of dermatofibroma the public sources contradict each other.
SNOMED_CT = {
    "MEL": ("93655004", "Malignant melanoma of skin"),
    "NV": ("400096001", "Melanocytic nevus"),
    "BCC": ("254701007", "Basal cell carcinoma of skin"),
    "AK": ("201101007", "Actinic keratosis"),
    "SCC": ("254651007", "Squamous cell carcinoma of skin"),
}


def name_of(code: str) -> str:
    """Name of a class in words; its code where a data set brought its own classes."""
    return KNOWN[code].name if code in KNOWN else code


def verdict(finding: Finding) -> str:
    """What the system decided, with its advice where it answers."""
    if finding.decision == "expert_review":
        return "The algorithm does not answer alone: an expert must look at this lesion."
    return f"The algorithm answers without an expert. {finding.advice}".strip()
