#!/bin/sh
# Copies database and images while the server runs; as the server's user, with rsync, and python3 or pg_dump:
#   backup.sh DATA-FOLDER NEW-FOLDER [POSTGRESQL-URL]
set -eu
umask 077
data=$1
copy=$2
url=${3-}

# A file is named by its content, written before its row and deleted after it. Copied before and after the
# rows, none is missing. What vanishes meanwhile (24) was deleted for good.
copy_images() {
    [ ! -d "$data/images" ] || rsync --times --recursive --exclude='.*' "$data/images" "$copy" || [ $? -eq 24 ]
}

mkdir "$copy" "$copy/images"
copy_images
if [ -n "$url" ]; then
    pg_dump --format=custom --file="$copy/transxv2s.dump" "$url"
else
    python3 - "$data/transxv2s.sqlite" "$copy/transxv2s.sqlite" <<'END'
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

existing = Path(sys.argv[1]).absolute().as_uri() + "?mode=rw"
with closing(sqlite3.connect(existing, uri=True)) as source:
    with closing(sqlite3.connect(sys.argv[2])) as copy:
        source.backup(copy)
END
fi
copy_images
sync -f "$copy"
