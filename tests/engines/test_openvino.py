"""How a large batch is cut for OpenVINO's streams."""

import numpy as np
import pytest

from transxv2s.engines.openvino import AT_ONCE, _parts


@pytest.mark.parametrize("streams", [1, 2, 3, 16, 17, 64, 192])
def test_parts_are_never_empty_never_too_large_and_keep_every_stream_busy(streams: int) -> None:
    for images in range(AT_ONCE, 300):
        sizes = [len(part) for part in np.array_split(np.arange(images), _parts(images, streams))]
        assert 0 < min(sizes) <= max(sizes) <= AT_ONCE
        assert len(sizes) % streams == 0 or max(sizes) == 1
        smallest = next(n for n in range(images) if n * streams * AT_ONCE >= images)  # rounds that suffice
        assert len(sizes) <= smallest * streams
