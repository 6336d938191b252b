"""Everything that is measured of one image: a row for each method and control."""

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from torch import Tensor

from transxv2s.explain.faithfulness import controls
from transxv2s.explain.faithfulness.agreement import rank_correlations, structural_similarity
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


@dataclass(frozen=True)
class Subject:
    """What is judged.

    Attributes:
        digest: Tells the network from another.
        codes: Of its classes.
        logits: The network, as a function.
        ways: The methods by name.
        randomised: By stage, the same methods on the network as it is when it is random up to there.
    """

    digest: str
    codes: tuple[str, ...]
    logits: Logits
    ways: Mapping[str, Way]
    randomised: Mapping[str, Mapping[str, Way]]

    @property
    def names(self) -> tuple[str, ...]:
        """Methods and controls, the rows of an image."""
        return (*self.ways, *controls.CONTROLS)


def measured(subject: Subject, case: Case, randomise: bool) -> list[Row]:
    """The rows of one image, asked for the class that the network finds most probable.

    Args:
        subject: Network and methods.
        case: The image.
        randomise: Whether maps of the random networks are made too.
    """
    seed = zlib.crc32(case.id.encode())
    asked = int(subject.logits(case.image.unsqueeze(0))[0].argmax())
    score = probability_of(subject.logits, asked)
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
    order, row = ranking(values, seed), Row()
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
        row |= {f"rank_after_{stage}": np.nan, f"ssim_after_{stage}": np.nan}
        if way:
            other = way(case.image, asked)
            row[f"rank_after_{stage}"] = float(rank_correlations([values, other])[0, 1])
            row[f"ssim_after_{stage}"] = structural_similarity(values, other)
    return row
