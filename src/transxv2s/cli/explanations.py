"""Images through a classifier into heat maps on disk, one at a time, so that memory and Ctrl-C stay small.

Of each image, in a folder of its own: a sheet for each method, a sheet of all, and the arrays.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transxv2s.classifier import Classifier, Prepared, unique_ids
from transxv2s.cli import outputs
from transxv2s.cli.batch import STOPPED, asked, prepare
from transxv2s.explain import METHODS, GraphAttention, HeatMap
from transxv2s.explain.panels import Panel, heat_panel, mask_panels, node_panels, plain_panels
from transxv2s.explain.sheet import sheet
from transxv2s.files import make_folders, readable, write_whole
from transxv2s.progress import progress
from transxv2s.reports.explanation import Explained
from transxv2s.reports.panels import shown
from transxv2s.reports.pictures import data_uri
from transxv2s.reports.prediction import Card, Failure, Pictures

IMAGES = "images"  # below the output folder: an image's name can then be that of no other file there
GRID, ATTENTION = "grid.png", "attention.png"
ATTENTION_ARRAYS = "attention.npz"
FIELDS = ("nodes", "scores", "collected", "distributed")  # of the attention, by module


@dataclass(frozen=True)
class Question:
    """What is asked of every image.

    Attributes:
        methods: Keys of METHODS.
        target: As `explain.heat_maps` takes it.
        code: The class; None for the one that is predicted.
        attention: Whether the network's own attention is wanted.
    """

    methods: Sequence[str]
    target: str
    code: str | None
    attention: bool


@dataclass(frozen=True)
class Answer:
    """One image explained.

    Attributes:
        explained: For the page.
        entry: For the index: the finding, what was asked, and which file is which.
    """

    explained: Explained
    entry: dict[str, Any]


def explain_all(
    classifier: Classifier, files: Sequence[Path], question: Question, out: Path
) -> list[Answer | Failure]:
    """An answer or a failure for each image, in order; after Ctrl-C, images not reached are failures.

    Raises:
        InputError: The network cannot be asked that.
        DataError: A file cannot be written.
    """
    answers: list[Answer | Failure] = []
    sources = list(zip(files, unique_ids([readable(file) for file in files]), strict=True))
    with progress("Explaining", len(files)) as advance:
        try:
            for source in sources:
                image = prepare(classifier, source)
                answers.append(
                    image
                    if isinstance(image, Failure)
                    else _explain(classifier, image, readable(source[0]), question, out)
                )
                advance(1)
        except KeyboardInterrupt:
            answers += [Failure(readable(file), STOPPED) for file, _ in sources[len(answers) :]]
    return answers


def _explain(classifier: Classifier, image: Prepared, file: str, question: Question, out: Path) -> Answer:
    (finding,) = classifier.findings([image])
    code = question.code or finding.predicted
    (maps,) = classifier.heat_maps([image], [code], question.methods, question.target)
    attention = classifier.graph_attention([image])[0] if question.attention else []
    words = asked(classifier, finding, code)
    panels = {heat_map.method: heat_panel(image.seen, heat_map, words) for heat_map in maps}
    nodes, masks = node_panels(image.seen, attention), mask_panels(image.seen, attention)
    folder = f"{IMAGES}/{finding.id}/"
    make_folders(out / folder)
    contents = _sheets(image, panels, nodes, masks, words) | _arrays(maps, attention)
    for name, content in contents.items():
        write_whole(out / folder / name, content)
    card = Card(file, finding, Pictures(data_uri(image.original), data_uri(image.seen)))
    on_page = [[shown(panel) for panel in part] for part in (panels.values(), nodes, masks)]
    explained = Explained(card, words, folder, *on_page)
    return Answer(explained, _entry(explained, code, question.target, maps))


def _sheets(
    image: Prepared, panels: Mapping[str, Panel], nodes: Sequence[Panel], masks: Sequence[Panel], words: str
) -> dict[str, bytes]:
    """File names and PNG files: of each method, of all methods, of the network's own attention."""
    given, seen = plain_panels(image.original, image.seen)
    sheets = {f"{method}.png": sheet([given, seen, panel], panel.title) for method, panel in panels.items()}
    sheets[GRID] = sheet([given, seen, *panels.values()], f"Heat maps for {words}")
    if nodes:
        heading = "The network's own attention, the same for every class"
        rows = [given, *nodes, seen, *masks[::2], None, *masks[1::2]]  # nodes, collectors, distributors
        sheets[ATTENTION] = sheet(rows, heading, columns=1 + len(nodes))
    return sheets


def _arrays(maps: Sequence[HeatMap], attention: Sequence[GraphAttention]) -> dict[str, bytes]:
    """File names and arrays: of each method the values and the raw map, and the attention by module."""
    arrays = {f"{heat_map.method}.npy": _npy(heat_map.values) for heat_map in maps}
    arrays |= {f"{heat_map.method}.raw.npy": _npy(heat_map.raw) for heat_map in maps}
    if attention:
        buffer = io.BytesIO()
        fields = {f"{a.module}.{name}": getattr(a, name) for a in attention for name in FIELDS}
        np.savez(buffer, allow_pickle=False, **fields)
        arrays[ATTENTION_ARRAYS] = buffer.getvalue()
    return arrays


def _npy(values: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _entry(explained: Explained, code: str, target: str, maps: Sequence[HeatMap]) -> dict[str, Any]:
    """The finding, what was asked and which file is which; paths as seen from the index."""
    folder = explained.folder
    entry = {
        **outputs.row(explained.card),
        "class": code,
        "target": target,
        "grid": folder + GRID,
        "heat_maps": [
            {
                "method": heat_map.method,
                "title": METHODS[heat_map.method].title,
                "class_dependent": heat_map.class_dependent,
                "picture": f"{folder}{heat_map.method}.png",
                "values": f"{folder}{heat_map.method}.npy",
                "raw": f"{folder}{heat_map.method}.raw.npy",
            }
            for heat_map in maps
        ],
    }
    if explained.nodes:
        entry["attention"] = {"picture": folder + ATTENTION, "arrays": folder + ATTENTION_ARRAYS}
    return entry
