"""A process says its own peak, whatever it was started from."""

import subprocess
import sys

import numpy as np

from transxv2s.memory import peak_mebibytes

MEBIBYTE = 2**20
PEAK = "from transxv2s.memory import peak_mebibytes; {}; print(peak_mebibytes())"


def peak_of_a_child(work: str) -> float:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PEAK.format(work)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def test_a_child_says_its_own_peak_and_not_its_parents() -> None:
    np.ones(400 * MEBIBYTE, dtype=np.uint8)
    ours = peak_mebibytes()
    assert ours > 400
    assert peak_of_a_child("pass") < ours / 4
    assert peak_of_a_child(f"bytes(200 * {MEBIBYTE}).upper()") > 200
