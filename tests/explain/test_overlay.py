"""Pictures of heat maps: what they show, and that they can be told from skin."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from transxv2s.explain import GraphAttention, HeatMap
from transxv2s.explain.overlay import (
    CEILING,
    COLOUR_MAP,
    MARK,
    OPACITY,
    SIDE,
    colour_bar,
    enlarged,
    heat_overlay,
    mask_overlay,
    node_overlay,
)
from transxv2s.explain.panels import EMPTY, SAME, heat_panel, mask_panels, node_panels, plain_panels
from transxv2s.explain.sheet import sheet
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import Preprocessing, Rgb

from .conftest import SAMPLES

PLAIN = 5.0  # CIEDE2000; a difference of 2 is just seen
SKIN = np.full((128, 128, 3), (200, 150, 130), np.uint8)


def spot(row: int = 40, column: int = 90) -> NDArray[np.float32]:
    """A smooth spot of height 1 on 128×128."""
    rows, columns = np.mgrid[:128, :128]
    distance = (rows - row) ** 2 + (columns - column) ** 2
    return np.asarray(np.exp(-distance / 400), np.float32)


def heat_map(values: NDArray[np.float32], class_dependent: bool = True) -> HeatMap:
    return HeatMap("hirescam", "fused", 1, class_dependent, values, values)


def attention() -> GraphAttention:
    nodes = np.zeros((8, 8), bool)
    nodes[2, 5] = nodes[7, 0] = True
    field = np.linspace(0.6, 1.4, 64, dtype=np.float32).reshape(8, 8)
    return GraphAttention("dcgan3", nodes, field, field, np.ascontiguousarray(field[::-1]) * np.float32(0.5))


def changed(picture: Rgb) -> NDArray[np.float64]:
    """How far each pixel is from bare skin."""
    return np.asarray(np.abs(picture.astype(float) - enlarged(SKIN)).sum(2))


def test_an_empty_map_leaves_the_picture_bare() -> None:
    np.testing.assert_array_equal(heat_overlay(SKIN, np.zeros((128, 128), np.float32)), enlarged(SKIN))


def test_the_lesion_stays_visible_where_the_network_did_not_look_and_colour_lies_where_it_did() -> None:
    picture = heat_overlay(SKIN, spot())
    factor = SIDE // 128
    assert changed(picture)[-30:, :30].max() == 0
    strongest = np.unravel_index(spot().argmax(), (128, 128))
    row, column = (int(place) * factor for place in strongest)
    top = np.array(mpl.colormaps[COLOUR_MAP](1.0)[:3]) * 255
    np.testing.assert_allclose(picture[row, column], (1 - OPACITY) * SKIN[0, 0] + OPACITY * top, atol=1)


def test_one_loud_pixel_does_not_dim_the_others() -> None:
    values = 0.3 * spot()
    loud = values.copy()
    loud[0, 0] = 1
    assert (values > np.percentile(values, CEILING)).sum() > 1
    difference = changed(heat_overlay(SKIN, loud)) - changed(heat_overlay(SKIN, values))
    assert np.abs(difference[30:]).max() < 10


def test_a_single_pixel_is_still_seen() -> None:
    values = np.zeros((128, 128), np.float32)
    values[64, 64] = 1
    assert changed(heat_overlay(SKIN, values)).max() > 100


def test_the_bar_has_the_colours_of_the_picture() -> None:
    bar = colour_bar(SKIN, length=256)
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (256, 1))
    square = np.broadcast_to(SKIN[0, 0], (256, 256, 3)).astype(np.uint8)
    ceiling = np.percentile(ramp, CEILING)
    picture = heat_overlay(square, ramp)
    for value in (0.1, 0.5, 0.9):
        seen = picture[0, round(value * ceiling * 255) * picture.shape[1] // 256]
        np.testing.assert_allclose(bar[0, round(value * 255)].astype(int), seen.astype(int), atol=4)


def test_masks_are_drawn_on_one_scale_for_all_modules() -> None:
    one = mask_overlay(SKIN, np.full((8, 8), 1.2, np.float32))
    other = np.full((16, 16), 1.2, np.float32)
    other[0, 0] = 5
    assert np.ptp(one.reshape(-1, 3), axis=0).max() == 0
    np.testing.assert_array_equal(one[-1, -1], mask_overlay(SKIN, other)[-1, -1])


def test_masks_are_drawn_by_their_factors() -> None:
    bar = colour_bar(SKIN)[0].astype(int)
    for factor, place in ((0.1, 0), (0.5, 64), (1, 128), (2, 191), (16, 255)):
        seen = mask_overlay(SKIN, np.full((8, 8), factor, np.float32))[0, 0]
        np.testing.assert_allclose(seen.astype(int), bar[place], atol=3)


def test_nodes_are_marked_in_their_cells_and_nowhere_else() -> None:
    picture = node_overlay(SKIN, attention().nodes)
    cell = SIDE // 8
    cells = changed(picture).reshape(8, cell, 8, cell).max((1, 3)) > 0
    np.testing.assert_array_equal(cells, attention().nodes)
    assert tuple(picture[2 * cell + cell // 2, 5 * cell + cell // 2]) == MARK


@pytest.mark.parametrize("grid", [(31, 31), (16, 16), (5, 9)])
def test_grids_that_do_not_divide_the_picture(grid: tuple[int, int]) -> None:
    nodes = np.ones(grid, bool)
    marks = (node_overlay(SKIN, nodes) == MARK).all(2)
    assert marks.any(0).sum() > grid[1]
    assert mask_overlay(SKIN, np.ones(grid, np.float32)).shape == enlarged(SKIN).shape


def test_captions_say_which_class_and_when_a_method_asks_about_none() -> None:
    panel = heat_panel(SKIN, heat_map(spot()), "melanoma, 14 %")
    assert (panel.title, panel.caption) == ("HiResCAM", "for melanoma, 14 %; target fused")
    blind = heat_panel(SKIN, heat_map(spot(), class_dependent=False), "melanoma, 14 %")
    assert SAME in blind.caption
    assert "melanoma" not in blind.caption
    empty = heat_panel(SKIN, heat_map(np.zeros((128, 128), np.float32)), "melanoma, 14 %")
    assert EMPTY in empty.caption
    assert EMPTY not in panel.caption


def test_both_masks_of_a_module_are_shown_over_their_means() -> None:
    collector, distributor = mask_panels(SKIN, [attention()])
    shown = attention()
    for panel, mask in ((collector, shown.collected), (distributor, shown.distributed)):
        least, most = mask.min() / mask.mean(), mask.max() / mask.mean()
        assert panel.caption == f"mask, {least:.2f} to {most:.2f} × mean"
    assert [collector.title, distributor.title] == [
        f"{shown.module} collector",
        f"{shown.module} distributor",
    ]


def test_a_sheet_is_a_png_that_grows_with_its_panels() -> None:
    plain = plain_panels(SKIN[:90], SKIN)
    panel = heat_panel(SKIN, heat_map(spot()), "a $name_ with ^signs$, 5 %")
    own = [*node_panels(SKIN, [attention()]), *mask_panels(SKIN, [attention()])]
    files = [sheet([*plain, panel], "50 $ and more $"), sheet([*plain, panel, *own], "")]
    (small, large) = [Image.open(io.BytesIO(content), formats=["PNG"]).size for content in files]
    assert small[0] < large[0]
    assert small[1] < large[1]


def test_a_sheet_can_leave_a_place_empty() -> None:
    panel = heat_panel(SKIN, heat_map(spot()), "melanoma, 5 %")
    content = sheet([panel, None, panel], "three columns", columns=3)
    picture = np.asarray(Image.open(io.BytesIO(content), formats=["PNG"]).convert("L"))
    left, middle, right = np.array_split(picture[150:400], 3, axis=1)
    assert (middle == 255).all()
    assert left.min() < 255
    assert right.min() < 255


def difference(square: Rgb, name: str) -> float:
    """How far the colours of a map are from the skin and lesion below, CIEDE2000: the least of all values."""
    below, least = square / 255, []
    for value in (0.5, 0.75, 1.0):
        colour, opacity = np.array(mpl.colormaps[name](value)[:3]), OPACITY * value
        painted = (1 - opacity) * below + opacity * colour
        far: NDArray[np.float64] = deltaE_ciede2000(rgb2lab(below), rgb2lab(painted))  # type: ignore[no-untyped-call]
        least.append(float(np.percentile(far, 5)))
    return min(least)


def sample(number: int, preprocessing: Preprocessing) -> Rgb:
    """A sample lesion as the network sees it, every eighth pixel."""
    file = sorted(SAMPLES.glob("*.jpg"))[number]
    return preprocessing.apply(decode(file))[::8, ::8]


@pytest.mark.parametrize("number", range(9))
def test_on_skin_the_colours_stand_out_more_than_others_would(number: int) -> None:
    square = sample(number, Preprocessing(hair_removal=None, colour=None))
    ours = difference(square, COLOUR_MAP)
    assert all(ours > difference(square, other) for other in ("inferno", "magma", "plasma", "cividis"))


@pytest.mark.parametrize("number", range(9))
def test_on_pictures_that_gwsd_made_grey_they_still_stand_out(number: int) -> None:
    assert difference(sample(number, Preprocessing(hair_removal=None)), COLOUR_MAP) > PLAIN
