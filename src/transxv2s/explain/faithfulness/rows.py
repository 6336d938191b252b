"""A CSV file with a line for each image and method, which grows as they are made: a stopped run goes on."""

import csv
import io
import math
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from transxv2s.datasets.tables import read_table
from transxv2s.errors import DataError
from transxv2s.explain.faithfulness.measures import Row
from transxv2s.files import write_whole

WORDS = ("image", "file", "label", "asked", "method")  # columns that are no numbers
SETTINGS = "settings"  # the last column: a line that was cut off lacks some of it


class Rows:
    """The file.

    Args:
        path: Where it is or will be.
        numbers: Names of the columns that are numbers; an empty cell is NaN.
        settings: Digest of all that decides the numbers.

    Raises:
        DataError: There is a file of other settings, or one that cannot be read or written.
    """

    def __init__(self, path: Path, numbers: Sequence[str], settings: str) -> None:
        self._path, self._settings = path, settings
        self._columns = [*WORDS, *numbers, SETTINGS]
        self.by_image: dict[str, list[Row]] = self._read() if path.exists() else {}

    def _read(self) -> dict[str, list[Row]]:
        other = f"remove {self._path}, or name another folder with --out"
        try:
            table = read_table(self._path, self._columns)
        except DataError as error:
            raise DataError(f"{error}; {other}") from error
        whole = [cells for cells in table if len(cells[SETTINGS]) == len(self._settings)]
        if any(cells[SETTINGS] != self._settings for cells in whole):
            raise DataError(f"{self._path} was made with another checkpoint or other settings: {other}")
        found = defaultdict[str, list[Row]](list)
        for cells in whole:
            found[cells["image"]].append(
                {name: self._value(name, cells[name]) for name in self._columns[:-1]}
            )
        return found

    def _value(self, name: str, cell: str) -> str | float:
        return cell if name in WORDS else float(cell or math.nan)

    def keep(self, files: Mapping[str, str], methods: Collection[str]) -> None:
        """Keeps images of which all methods are there and the file is the same; writes them anew.

        Args:
            files: By image, what tells its file's state; other images are of a larger selection and are kept.
            methods: Those of every image.
        """
        self.by_image = {
            image: rows
            for image, rows in self.by_image.items()
            if {row["method"] for row in rows} == set(methods)
            and (image not in files or {row["file"] for row in rows} == {files[image]})
        }
        kept = [row for rows in self.by_image.values() for row in rows]
        write_whole(self._path, ",".join(self._columns) + "\n" + self._lines(kept))

    def _lines(self, rows: Iterable[Row]) -> str:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        for row in rows:
            cells = (row[name] for name in self._columns[:-1])
            writer.writerow(["" if cell != cell else cell for cell in cells] + [self._settings])  # noqa: PLR0124
        return buffer.getvalue()

    def add(self, image: str, rows: list[Row]) -> None:
        """The rows of one image, on the disk before the next one begins."""
        with self._path.open("a", newline="", encoding="utf-8") as stream:
            stream.write(self._lines(rows))
            stream.flush()
            os.fsync(stream.fileno())
        self.by_image[image] = rows
