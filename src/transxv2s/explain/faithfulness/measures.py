"""Everything that is measured of one image: a row for each method and control."""

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from transxv2s.explain.faithfulness import controls
from transxv2s.explain.faithfulness.agreement import flat, rank_correlations, structural_similarity
from transxv2s.explain.faithfulness.cases import Case
from transxv2s.explain.faithfulness.localisation import band_concentration, pointing_game, relevance_mass
from transxv2s.explain.faithfulness.perturbation import (
    BASELINES,
    Logits,
    Map,
    Score,
    deletion_and_insertion,
    probability_of,
    ranking,
)
from transxv2s.explain.faithfulness.road import road
from transxv2s.trust.judgement import Trust, scores_of

Way: TypeAlias = Callable[[Tensor, int], Map]  # image (3, S, S) and a class to its map (S, S), ≥ 0
Row: TypeAlias = dict[str, str | float]


class Measure(NamedTuple):
    """One measure.

    Attributes:
        title: For people.
        better: 1 where more is better, −1 where less is, 0 where it is neither.
        decides: Whether a method must beat the controls in it.
    """

    title: str
    better: int
    decides: bool = False


MEASURES = {
    "deletion_blurred": Measure("deletion, blurred", -1, True),
    "insertion_blurred": Measure("insertion, blurred", 1, True),
    "deletion_mean_colour": Measure("deletion, mean colour", -1, True),
    "insertion_mean_colour": Measure("insertion, mean colour", 1, True),
    "road": Measure("ROAD, least − most", 1, True),
    "road_most": Measure("ROAD, most removed", -1),
    "road_least": Measure("ROAD, least removed", 1),
    "mass": Measure("mass on the lesion", 1),
    "pointing": Measure("pointing game", 1),
    "band": Measure("edge band, uniform = 1", 0),
    "seconds": Measure("seconds", -1),
}

# of a map to that of a random network: Adebayo et al. (2018) report rank correlations with and without sign
LIKENESS = ("rank", "absolute_rank", "ssim", "flat")


def decisive(stage: str) -> str:
    """The likeness that decides at a stage: by its size, as +0.8 and −0.8 both keep the map's structure."""
    return f"absolute_rank_after_{stage}"


@dataclass(frozen=True)
class Subject:
    """What is judged.

    Attributes:
        digest: Tells the network from another.
        codes: Of its classes.
        logits: The network, as a function.
        ways: The methods by name.
        randomised: By stage, the same methods on the network as it is when it is random up to there.
        trust: What makes calibrated probabilities and the class that is named of logits; None: softmax.
    """

    digest: str
    codes: tuple[str, ...]
    logits: Logits
    ways: Mapping[str, Way]
    randomised: Mapping[str, Mapping[str, Way]]
    trust: Trust | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Methods and controls, the rows of an image."""
        return (*self.ways, *controls.CONTROLS)

    @torch.no_grad()
    def named(self, image: Tensor) -> int:
        """The class that users are told, of one image (3, S, S)."""
        return int(scores_of(self.trust, self.logits(image.unsqueeze(0)).cpu())[1][0].argmax())


def measured(subject: Subject, case: Case, randomise: bool) -> list[Row]:
    """The rows of one image, asked for the class that is named.

    Args:
        subject: Network and methods.
        case: The image.
        randomise: Whether maps of the random networks are made too.
    """
    seed = zlib.crc32(case.id.encode())
    asked = subject.named(case.image)
    score = probability_of(subject.logits, asked, subject.trust)
    timed = {name: _timed(way, case.image, asked) for name, way in subject.ways.items()}
    maps = {name: values for name, (values, _) in timed.items()} | _controls(case, seed)
    agreement = rank_correlations(list(maps.values()))
    about: Row = {
        "image": case.id,
        "file": case.file,
        "label": case.label,
        "asked": subject.codes[asked],
        "probability": float(score(case.image.unsqueeze(0))[0]),
        "lesion_area": float(case.mask.mean()),
    }
    return [
        about
        | {"method": name, "seconds": timed[name][1] if name in timed else np.nan}
        | {"flat": float(flat(values))}
        | _of_map(score, case, values, seed)
        | {f"agrees_{other}": float(r) for other, r in zip(maps, agreement[position], strict=True)}
        | _after(_random_ways(subject, name, randomise), case, asked, values)
        for position, (name, values) in enumerate(maps.items())
    ]


def _timed(way: Way, image: Tensor, asked: int) -> tuple[Map, float]:
    start = time.perf_counter()
    values = way(image, asked)
    return values, time.perf_counter() - start


def _controls(case: Case, seed: int) -> dict[str, Map]:
    height, width = case.mask.shape
    noise, middle = controls.random_map((height, width), seed), controls.centre((height, width))
    return {controls.RANDOM: noise, controls.CENTRE: middle}


def _of_map(score: Score, case: Case, values: Map, seed: int) -> Row:
    order, row = ranking(values, controls.random_map(values.shape, seed + 1)), Row()
    for name, baseline in BASELINES.items():
        deletion, insertion = deletion_and_insertion(score, case.image, baseline(case.image), order)
        row |= {f"deletion_{name}": deletion, f"insertion_{name}": insertion}
    most, least = road(score, case.image, order, seed)
    return row | {
        "road": least - most,
        "road_most": most,
        "road_least": least,
        "mass": relevance_mass(values, case.mask),
        "pointing": pointing_game(values, case.mask),
        "band": band_concentration(values, case.mask),
    }


def _random_ways(subject: Subject, name: str, randomise: bool) -> dict[str, Way | None]:
    """By stage; a control does not ask the network and has none."""
    return {stage: ways.get(name) if randomise else None for stage, ways in subject.randomised.items()}


def _after(ways: Mapping[str, Way | None], case: Case, asked: int, values: Map) -> Row:
    """Likeness of a map to those of the random networks."""
    row = Row()
    for stage, way in ways.items():
        found = _likeness(values, way(case.image, asked)) if way else dict.fromkeys(LIKENESS, np.nan)
        row |= {f"{kind}_after_{stage}": value for kind, value in found.items()}
    return row


def _likeness(values: Map, other: Map) -> dict[str, float]:
    """Of a map to another, by the names of LIKENESS; NaN where a rank correlation is not defined."""
    rank = float(rank_correlations([values, other])[0, 1])
    found = rank, abs(rank), structural_similarity(values, other), float(flat(other))
    return dict(zip(LIKENESS, found, strict=True))
