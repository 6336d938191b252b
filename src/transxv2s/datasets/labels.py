"""From what people write as a diagnosis to a class of a taxonomy."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from transxv2s.errors import ConfigError, DataError
from transxv2s.taxonomy import ISIC2018, ISIC2019, Taxonomy

LEFT_OUT = "-"  # a label mapped to it is left out, and counted
SHOWN = 8  # labels that a message names


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


def natural(taxonomy: Taxonomy) -> dict[str, str]:
    """What needs no map: the codes and English names of a taxonomy, in lower case."""
    return {text.lower(): c.code for c in taxonomy.classes for text in (c.code, c.name)}


def taxonomy_of(codes: Iterable[str]) -> Taxonomy:
    """ISIC 2018's classes if AKIEC is among the codes, else those of ISIC 2019."""
    return ISIC2018 if "AKIEC" in {code.upper() for code in codes} else ISIC2019


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
        pairs = natural(taxonomy) if label_map is None else label_map
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
