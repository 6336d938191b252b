"""A data set of three small files, and who listens to its download."""

import hashlib
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

from transxv2s.datasets.catalogue import Collection, RemoteFile
from transxv2s.datasets.received import RECORD

TABLE = b"image,MEL\nISIC_1,1\n"
STOP = 1 << 17  # where the server breaks off
BIG = random.Random(0).randbytes(300_000)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


FILES = {
    "Truth.csv": TABLE,
    "Images.zip": zipped({"Images/a.jpg": BIG, "Images/LICENSE.txt": b"CC BY-NC"}),
    "Masks.zip": zipped(
        {"a.png": b"mask", "__MACOSX/._a.png": b"litter", "._a.png": b"litter", ".dir/": b""}
    ),
}


def collection(**checksums: str) -> Collection:
    files = tuple(
        RemoteFile(name, f"http://nowhere.invalid/{name}", checksums.get(name[:-4])) for name in FILES
    )
    return Collection("Toy", "https://page", "3 kB", "CC BY-NC 4.0", ("(c) Toy",), ("Toy et al.",), files)


TOY = collection(Images=f"md5:{hashlib.md5(FILES['Images.zip'], usedforsecurity=False).hexdigest()}")


class Listener:
    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.steps: dict[str, list[int]] = {}
        self.totals: dict[str, int | None] = {}

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def follow(self, task: str, total: int | None, unit: str) -> Callable[[int], None]:
        self.totals[task] = total
        return self.steps.setdefault(task, []).append


def visible(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def expected(record: bytes) -> dict[str, bytes]:
    return {
        "Truth.csv": TABLE,
        "Images/a.jpg": BIG,
        "Images/LICENSE.txt": b"CC BY-NC",
        "Masks/a.png": b"mask",
        RECORD: record,
    }
