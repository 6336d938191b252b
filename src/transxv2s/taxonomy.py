"""Diagnostic classes: codes, names, malignancy, in the order of every probability vector; maps between them.

Malignant are melanoma, basal and squamous cell carcinoma. Actinic keratosis is precancerous: for referral it
is counted with them, and scores are given both ways. The older AKIEC (actinic keratosis and intraepithelial
carcinoma) holds what ISIC 2019 calls AK and SCC; it cannot be taken apart, so it counts as precancerous.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from transxv2s.errors import InputError

Behaviour = Literal["malignant", "precancerous", "benign", "unknown"]


@dataclass(frozen=True)
class DiagnosticClass:
    """One class of a taxonomy.

    Attributes:
        code: Upper-case code of the ISIC 2019 challenge.
        name: English name for people.
        behaviour: Malignant, precancerous (counted with malignant for referral), benign, or unknown (UNK).
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

    def positions(self, *behaviours: Behaviour) -> tuple[int, ...]:
        """Positions of the classes that behave so."""
        return tuple(i for i, c in enumerate(self.classes) if c.behaviour in behaviours)


_MEL = DiagnosticClass("MEL", "melanoma", "malignant")
_NV = DiagnosticClass("NV", "melanocytic nevus", "benign")
_BCC = DiagnosticClass("BCC", "basal cell carcinoma", "malignant")
_AK = DiagnosticClass("AK", "actinic keratosis", "precancerous")
_BKL = DiagnosticClass("BKL", "benign keratosis", "benign")
_DF = DiagnosticClass("DF", "dermatofibroma", "benign")
_VASC = DiagnosticClass("VASC", "vascular lesion", "benign")
_SCC = DiagnosticClass("SCC", "squamous cell carcinoma", "malignant")
_AKIEC = DiagnosticClass("AKIEC", "actinic keratosis or intraepithelial carcinoma", "precancerous")
_UNK = DiagnosticClass("UNK", "none of the others", "unknown")

ISIC2019 = Taxonomy("isic2019", (_MEL, _NV, _BCC, _AK, _BKL, _DF, _VASC, _SCC))
ISIC2019_UNK = Taxonomy("isic2019-unk", (*ISIC2019.classes, _UNK))
ISIC2018 = Taxonomy("isic2018", (_MEL, _NV, _BCC, _AKIEC, _BKL, _DF, _VASC))
NEVUS_MELANOMA = Taxonomy("nevus-melanoma", (_MEL, _NV))

TAXONOMIES = {t.name: t for t in (ISIC2019, ISIC2019_UNK, ISIC2018, NEVUS_MELANOMA)}
KNOWN = {c.code: c for taxonomy in TAXONOMIES.values() for c in taxonomy.classes}
OWN = "own"  # the name of every taxonomy that a data set brings with it
WIDER = {"AK": "AKIEC", "SCC": "AKIEC"}  # class → the class that holds it where a taxonomy is coarser


def mapping(source: Taxonomy, target: Taxonomy) -> tuple[int | None, ...]:
    """For each class of one taxonomy its position in another; None where the other has no room for it.

    Raises:
        InputError: A class would have to be taken apart (AKIEC into AK and SCC).
    """
    parts = {code: wider for code, wider in WIDER.items() if code in target.codes}
    torn = [code for code in source.codes if code not in target.codes and code in parts.values()]
    if torn:
        raise InputError(
            f"{torn[0]} of {source.name} cannot be taken apart into the classes of {target.name}; "
            f"compare in {source.name} instead"
        )
    wanted = (code if code in target.codes else WIDER.get(code, code) for code in source.codes)
    return tuple(target.codes.index(code) if code in target.codes else None for code in wanted)


def project(probabilities: npt.ArrayLike, source: Taxonomy, target: Taxonomy) -> npt.NDArray[np.float64]:
    """Probabilities over one taxonomy as probabilities over another.

    Classes that meet are added. Where the target has no room for a class (nevus or melanoma alone), what is
    left is scaled to sum to 1: the probabilities given that the lesion is of one of the target's classes. A
    row without any mass there becomes uniform, which every score counts as undecided.

    Args:
        probabilities: (..., K), rows sum to 1.
        source: Its K classes.
        target: The classes wanted.

    Returns:
        (..., number of classes of the target), rows sum to 1.

    Raises:
        InputError: A class would have to be taken apart, or there are not K columns.
    """
    p = np.asarray(probabilities, np.float64)
    if p.shape[-1:] != (len(source),):
        columns = p.shape[-1] if p.ndim else "no"
        raise InputError(f"{source.name} has {len(source)} classes, but there are {columns} columns")
    places = mapping(source, target)
    summed = np.zeros((*p.shape[:-1], len(target)))
    for column, place in enumerate(places):
        if place is not None:
            summed[..., place] += p[..., column]
    if None not in places:
        return summed
    mass = summed.sum(-1, keepdims=True)
    scaled: npt.NDArray[np.float64] = np.divide(
        summed, mass, out=np.full_like(summed, 1 / len(target)), where=mass > 0
    )
    return scaled


def relabel(labels: Sequence[int], source: Taxonomy, target: Taxonomy) -> list[int | None]:
    """Class positions in another taxonomy; None where it has no room for the class.

    Raises:
        InputError: A class would have to be taken apart, or a label is none of the source's positions.
    """
    places = mapping(source, target)
    odd = [label for label in labels if not 0 <= label < len(source)]
    if odd:
        raise InputError(f"{odd[0]} is no class position of {source.name}, which has 0 to {len(source) - 1}")
    return [places[label] for label in labels]
