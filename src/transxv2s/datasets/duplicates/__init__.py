"""Finds pictures that are there twice: recompressed, resized, squashed, flipped, turned or simply copied.

A picture is reduced to its fine texture: local contrast, without the dark surround of the dermatoscope,
because dermoscopic images all look like a blob in the middle of a disc. Of that texture a fingerprint keeps,
in 4 bits a number,

- the lower spatial frequencies of the whole frame squashed to a square (`frame`). Flips and quarter turns act
  on them by signs and a transposition, so that eight copies are compared without decoding anything again;
- the angular frequencies of rings around the middle of the largest central disc (`disc`). A turn by any angle
  multiplies them by a phase, so that their magnitudes find candidates and their phases settle them.

All pairs are compared by matrix products: 25,000 images have 320 million pairs, which is seconds of work. An
index would save little and miss some. benchmarks/near_duplicates.py measures recall and false pairs.
"""

from transxv2s.datasets.duplicates.fingerprints import Fingerprints
from transxv2s.datasets.duplicates.making import fingerprints, fingerprints_of_readable
from transxv2s.datasets.duplicates.search import Pair, find_pairs, find_pairs_between

__all__ = [
    "Fingerprints",
    "Pair",
    "find_pairs",
    "find_pairs_between",
    "fingerprints",
    "fingerprints_of_readable",
]
