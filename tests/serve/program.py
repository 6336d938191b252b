"""A process of its own that stores cases with a review each, and says so only when they are safe.

Arguments: database URL, data folder, name of the actor, how many. Waits for a line before it begins.
"""

import sys
from pathlib import Path

from serve.making import finding, make, say
from transxv2s.serve.db.session import Database
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings


def main(url: str, folder: str, actor: str, number: str) -> None:
    database, settings = Database(url), Settings(data_dir=Path(folder))
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(int(number)):
        case = make(database, ImageStore(settings.images), settings, finding({"MEL": 0.8}), seed=n)
        print("case", case.id, flush=True)
        say(database, settings, case.id, actor=actor)
        print("review", case.id, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
