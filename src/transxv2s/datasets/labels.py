"""From what people write as a diagnosis to a class of a taxonomy."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from transxv2s.errors import ConfigError, DataError
from transxv2s.taxonomy import (
    ISIC2018,
    ISIC2019,
    KNOWN,
    OWN,
    TAXONOMIES,
    Behaviour,
    DiagnosticClass,
    Taxonomy,
)

LEFT_OUT = "-"  # a label mapped to it is left out, and counted
SHOWN = 8  # labels that a message names
# columns of a table of predictions, in upper case, as codes are
RESERVED = frozenset(
    (
        *("IMAGE", "FILE", "LESION", "SOURCE", "GROUP", "LABEL", "PREDICTED", "PREDICTION_SET"),
        *("DECISION", "REASONS", "SKIN_ANGLE", "ENGINE", "CHECKPOINT"),
    )
)


def parse(text: str) -> dict[str, str]:
    """A label map from "nevus=NV,melanoma=MEL", or from a YAML file of such pairs.

    Raises:
        ConfigError: It is neither.
    """
    if "=" in text:
        return _pairs(text)
    try:
        content = yaml.safe_load(Path(text).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{text!r} is neither pairs such as nevus=NV,melanoma=MEL nor a readable YAML file of them"
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(f"{text} must hold a line 'label: CODE' for each label")
    return {str(label): LEFT_OUT if code is None else str(code) for label, code in content.items()}


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in text.split(","):
        label, _, code = (part.strip() for part in pair.rpartition("="))
        if not label or not code or label in found:
            raise ConfigError(f"{text!r} must name each label once, as in nevus=NV,melanoma=MEL")
        found[label] = code
    return found


@dataclass(frozen=True)
class OwnClasses:
    """Asks for the classes that a data set names itself, known to a taxonomy of ours or not.

    Attributes:
        behaviours: By code, of the classes that no taxonomy of ours knows. Where nothing is said it is
            "unknown", and then every lesion that may be of that class needs an expert.
    """

    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)

    def taxonomy(self, names: Iterable[str]) -> Taxonomy:
        """The classes of labels or codes: known ones in our order, then the others by the alphabet.

        Raises:
            ConfigError: There are fewer than two classes, one has a reserved name, or a behaviour is of none
                of the other classes.
        """
        known = natural(KNOWN.values())
        wanted = {known.get(name, name.upper()) for name in (n.strip().lower() for n in names)} - {LEFT_OUT}
        if reserved := sorted(wanted & RESERVED):
            raise ConfigError(
                f"tables of predictions have a column {reserved[0]}: give that class another name"
            )
        other = sorted(wanted - KNOWN.keys())
        behaviours = {code.upper(): behaviour for code, behaviour in self.behaviours.items()}
        strange = sorted(behaviours.keys() - set(other))
        if strange:
            raise ConfigError(
                f"a behaviour is given for {', '.join(strange)}, but only the data set's own classes need "
                f"one: {', '.join(other) or 'it has none'}"
            )
        if len(wanted) < 2:
            raise ConfigError(f"the labels name {len(wanted)} class: it takes two to tell apart")
        own = (DiagnosticClass(code, code.lower(), behaviours.get(code, "unknown")) for code in other)
        classes = (*(c for code, c in KNOWN.items() if code in wanted), *own)
        return next((t for t in TAXONOMIES.values() if t.classes == classes), Taxonomy(OWN, classes))


def taxonomy_named(name: str, behaviours: Mapping[str, Behaviour] | None = None) -> Taxonomy | OwnClasses:
    """What a name such as "isic2018" or "own" stands for.

    Args:
        name: Of a taxonomy, or "own".
        behaviours: Of own classes, by code.

    Raises:
        ConfigError: The name is unknown, or behaviours are given for a taxonomy, which has its own.
    """
    if name != OWN and behaviours:
        raise ConfigError(f"behaviours belong to the taxonomy {OWN!r}: {name} has them already")
    if name == OWN:
        return OwnClasses(behaviours or {})
    if name not in TAXONOMIES:
        raise ConfigError(f"the taxonomy {name!r} is unknown: take one of {', '.join(TAXONOMIES)}, {OWN}")
    return TAXONOMIES[name]


def natural(classes: Iterable[DiagnosticClass]) -> dict[str, str]:
    """What needs no map: codes and English names in lower case, with the codes that they stand for."""
    return {text.lower(): c.code for c in classes for text in (c.code, c.name)}


def taxonomy_of(names: Iterable[str], wanted: Taxonomy | OwnClasses | None = None) -> Taxonomy:
    """The classes of a data set whose labels or codes are these.

    Args:
        names: Labels, or the codes that a map gives them.
        wanted: None takes ISIC 2018's classes if AKIEC is among the names, else those of ISIC 2019.

    Raises:
        ConfigError: Own classes are wanted that make no taxonomy.
    """
    if isinstance(wanted, OwnClasses):
        return wanted.taxonomy(names)
    if wanted is not None:
        return wanted
    return ISIC2018 if "AKIEC" in {name.upper() for name in names} else ISIC2019


class Labels:
    """Class positions for the labels of a data set.

    Args:
        taxonomy: The classes.
        label_map: Label → code, or "-" for images to be left out; None takes codes and names as they are.
            Upper and lower case are the same.
        where: What to name in a message.

    Raises:
        ConfigError: The map names a code that the taxonomy does not have, or gives a label two codes.
    """

    def __init__(self, taxonomy: Taxonomy, label_map: Mapping[str, str] | None, where: str) -> None:
        pairs = natural(taxonomy.classes) if label_map is None else label_map
        pairs = {label: code.upper() for label, code in pairs.items()}
        strange = sorted({code for code in pairs.values() if code not in (*taxonomy.codes, LEFT_OUT)})
        if strange:
            raise ConfigError(
                f"the label map names {', '.join(strange)}, unknown to {taxonomy.name}, "
                f"which has {', '.join(taxonomy.codes)}"
            )
        self.taxonomy = taxonomy
        self._code = {label.strip().lower(): code for label, code in pairs.items()}
        torn = [label for label, code in pairs.items() if self._code[label.strip().lower()] != code]
        if torn:
            raise ConfigError(f"the label map gives {torn[0]!r} two codes: upper and lower case are the same")
        self._where = where
        self._given = label_map is not None

    def check(self, labels: Iterable[str]) -> None:
        """Refuses labels that are not in the map, with counts.

        Raises:
            DataError: There are such labels.
        """
        strange = Counter(label for label in labels if label.strip().lower() not in self._code)
        if strange:
            shown = ", ".join(f"{label!r} ({n:,})" for label, n in strange.most_common(SHOWN))
            more = f" and {len(strange) - SHOWN:,} more" if len(strange) > SHOWN else ""
            first = strange.most_common(1)[0][0]
            advice = (
                "the label map must name each label" if self._given else "give a label map such as nevus=NV"
            )
            raise DataError(
                f"{self._where}: labels of no known meaning, with how many images have them: {shown}{more}; "
                f"{advice}, or {first}=- to leave such images out"
            )

    def position(self, label: str) -> int | None:
        """Class position of a checked label; None where it is left out."""
        code = self._code[label.strip().lower()]
        return None if code == LEFT_OUT else self.taxonomy.index(code)
