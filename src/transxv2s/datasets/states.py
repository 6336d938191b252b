"""What tells one state of a file from another without reading it."""

import hashlib
import os
from pathlib import Path

STATE_BYTES = 16


def file_state(path: Path) -> bytes:
    """A hash of path, size and time of last change; of a file that is not there, of its path alone."""
    try:
        stat = path.stat()
        state = f"{stat.st_size} {stat.st_mtime_ns}"
    except OSError:
        state = "absent"
    content = os.fsencode(path.absolute()) + b"\0" + state.encode()
    return hashlib.blake2b(content, digest_size=STATE_BYTES).digest()
