"""How much memory this process has taken."""

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_mebibytes() -> float:
    """The largest resident set so far, of this program alone.

    On Linux the peak of getrusage also counts the process that this one was started from: it is carried
    through `exec`, and what `vfork` shares is the parent's memory.
    """
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS
