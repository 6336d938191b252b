"""Diagnostic classes: codes, names and malignancy, in the order of every probability vector."""

from dataclasses import dataclass
from typing import Literal

Behaviour = Literal["malignant", "precancerous", "benign"]


@dataclass(frozen=True)
class DiagnosticClass:
    """One class of a taxonomy.

    Attributes:
        code: Upper-case code of the ISIC 2019 challenge.
        name: English name for people.
        behaviour: Malignant, precancerous (counted with malignant for referral) or benign.
    """

    code: str
    name: str
    behaviour: Behaviour

    @property
    def needs_expert(self) -> bool:
        """Whether a clinician must see every lesion that may be of this class."""
        return self.behaviour != "benign"


@dataclass(frozen=True)
class Taxonomy:
    """An ordered set of diagnostic classes.

    Attributes:
        name: Name of the challenge or data set it comes from.
        classes: The classes in official order.
    """

    name: str
    classes: tuple[DiagnosticClass, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """Class codes in order."""
        return tuple(c.code for c in self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, code: str) -> DiagnosticClass:
        return self.classes[self.index(code)]

    def index(self, code: str) -> int:
        """Position of a code.

        Raises:
            KeyError: The code is not of this taxonomy.
        """
        try:
            return self.codes.index(code)
        except ValueError:
            raise KeyError(f"{code!r} is not a class of {self.name}: {', '.join(self.codes)}") from None


ISIC2019 = Taxonomy(
    "isic2019",
    (
        DiagnosticClass("MEL", "melanoma", "malignant"),
        DiagnosticClass("NV", "melanocytic nevus", "benign"),
        DiagnosticClass("BCC", "basal cell carcinoma", "malignant"),
        DiagnosticClass("AK", "actinic keratosis", "precancerous"),
        DiagnosticClass("BKL", "benign keratosis", "benign"),
        DiagnosticClass("DF", "dermatofibroma", "benign"),
        DiagnosticClass("VASC", "vascular lesion", "benign"),
        DiagnosticClass("SCC", "squamous cell carcinoma", "malignant"),
    ),
)
