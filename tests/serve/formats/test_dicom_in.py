"""Pictures come out of DICOM as they went in, with age, sex and site."""

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.uid import ImplicitVRLittleEndian, SecondaryCaptureImageStorage, VLPhotographicImageStorage

from serve.formats.dicom_files import jpeg, jpeg_2000, jpeg_ls, photograph, sample, written
from transxv2s.errors import ImageError
from transxv2s.serve.formats.dicom_in import is_dicom, read


def test_only_a_dicom_file_looks_like_one() -> None:
    content = written(photograph(sample()))
    assert is_dicom(content)
    assert not any(map(is_dicom, (content[132:], content[:131], b"", b"DICM", b"\xff\xd8" * 100)))


@pytest.mark.parametrize("make", [photograph, jpeg_2000, jpeg_ls])
def test_lossless_encodings_give_the_very_pixels(make: Any) -> None:
    pixels = sample()
    np.testing.assert_array_equal(read(written(make(pixels))).pixels, pixels)


def test_implicit_little_endian() -> None:
    dataset = photograph(sample())
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    np.testing.assert_array_equal(read(written(dataset)).pixels, sample())


def test_planes_one_after_the_other() -> None:
    planes = np.ascontiguousarray(sample().transpose(2, 0, 1))
    content = written(photograph(sample(), PlanarConfiguration=1, PixelData=planes.tobytes()))
    np.testing.assert_array_equal(read(content).pixels, sample())


@pytest.mark.parametrize("interpretation", ["YBR_FULL_422", "RGB"])
def test_baseline_jpeg_as_pillow_decodes_it_even_where_the_colour_space_is_misstated(
    interpretation: str,
) -> None:
    dataset = jpeg(sample(), interpretation)
    stream = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    expected = np.array(Image.open(io.BytesIO(stream)))
    difference = np.abs(read(written(dataset)).pixels.astype(int) - expected)
    assert difference.max() <= 2  # rounding of YCbCr to RGB: libjpeg in integers, pydicom in floats


def test_uncompressed_ybr() -> None:
    luma_chroma = np.array(Image.fromarray(sample()).convert("YCbCr"))
    expected = np.array(Image.fromarray(luma_chroma, "YCbCr").convert("RGB"))
    found = read(written(photograph(luma_chroma, "YBR_FULL"))).pixels
    assert np.abs(found.astype(int) - expected).max() <= 2


@pytest.mark.parametrize(("bits", "kind"), [(8, np.uint8), (16, np.uint16)])
def test_palette(bits: int, kind: type) -> None:
    image = Image.fromarray(sample()).quantize(64)
    palette: NDArray[Any] = np.array(image.getpalette()).reshape(-1, 3).astype(kind) * (
        257 if bits == 16 else 1
    )
    changes: dict[str, Any] = {}
    for channel, colour in enumerate(("Red", "Green", "Blue")):
        changes[f"{colour}PaletteColorLookupTableDescriptor"] = [len(palette), 0, bits]
        changes[f"{colour}PaletteColorLookupTableData"] = palette[:, channel].tobytes()
    found = read(written(photograph(np.array(image), "PALETTE COLOR", **changes))).pixels
    np.testing.assert_array_equal(found, np.array(image.convert("RGB")))


def test_grey_becomes_three_equal_channels() -> None:
    grey = sample()[..., 0]
    found = read(written(photograph(np.ascontiguousarray(grey), "MONOCHROME2"))).pixels
    np.testing.assert_array_equal(found, np.stack([grey] * 3, -1))


@pytest.mark.parametrize("stored", [12, 16])
def test_more_than_eight_bits_are_scaled_by_their_nominal_range(stored: int) -> None:
    deep = np.rint(sample() * ((2**stored - 1) / 255)).astype(np.uint16)
    found = read(written(photograph(deep, BitsStored=stored, HighBit=stored - 1))).pixels
    np.testing.assert_array_equal(found, sample())


@pytest.mark.parametrize("sop_class", [VLPhotographicImageStorage, SecondaryCaptureImageStorage])
def test_other_photographs(sop_class: str) -> None:
    content = written(photograph(sample(), SOPClassUID=sop_class))
    assert read(content).pixels.shape == sample().shape


def test_a_picture_with_words_in_it_is_refused() -> None:
    with pytest.raises(ImageError, match="words that may name the patient are part of the picture"):
        read(written(photograph(sample(), BurnedInAnnotation="YES")))
    assert read(written(photograph(sample(), BurnedInAnnotation="NO"))).pixels.shape == sample().shape


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_dcmtk_+eb+cy+s4.dcm",
        "SC_rgb_gdcm_KY.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
    ],
)
def test_files_of_other_toolkits_show_the_same_test_card(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    with open(path, "rb") as file:  # noqa: PTH123 - pydicom gives a string
        found = read(file.read()).pixels
    red, green = found[5, 50].astype(int), found[25, 50].astype(int)  # the card's first and third bar
    assert red[0] > 240
    assert red[1:].max() < 10
    assert green[1] > 240
    assert green[[0, 2]].max() < 10


def region(value: str, scheme: str = "SCT", meaning: str = "?") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


@pytest.mark.parametrize(
    ("changes", "age"),
    [
        ({}, 62),  # born on the 9th of March 1961, seen on the 8th of March 2024: not yet 63
        ({"StudyDate": "20240309"}, 63),
        ({"PatientAge": "045Y"}, 45),
        ({"PatientAge": "018M"}, 1),
        ({"PatientAge": "200W"}, 3),
        ({"PatientAge": "300D"}, 0),
        ({"PatientAge": "95Y"}, 62),  # not as the standard writes it, so the dates count
        ({"PatientAge": "097Y"}, 90),  # few are so old; an exact age would identify
        ({"PatientAge": "300Y"}, None),
        ({"StudyDate": "19000101"}, None),
        ({"StudyDate": None}, None),
        ({"PatientBirthDate": "yesterday"}, None),
    ],
)
def test_age(changes: dict[str, Any], age: int | None) -> None:
    with pydicom.config.disable_value_validation():
        content = written(photograph(sample(), **changes))
    assert read(content).age == age


@pytest.mark.parametrize(
    ("code", "sex"), [("F", "female"), ("M", "male"), ("O", None), ("", None), (None, None)]
)
def test_sex(code: str | None, sex: str | None) -> None:
    assert read(written(photograph(sample(), PatientSex=code))).sex == sex


@pytest.mark.parametrize(
    ("changes", "site"),
    [
        ({"AnatomicRegionSequence": region("66643007")}, "posterior torso"),
        ({"AnatomicRegionSequence": region("70887009"), "BodyPartExamined": "HAND"}, "palms/soles"),
        ({"AnatomicRegionSequence": region("66643007", "SRT")}, None),
        ({"AnatomicRegionSequence": region("1"), "BodyPartExamined": "SCALP"}, "head/neck"),
        ({"AnatomicRegionSequence": region("76261009")}, None),  # the axilla lies between our sites
        ({"BodyPartExamined": "FOOT"}, "lower extremity"),
        ({"BodyPartExamined": "UPPER ARM"}, "upper extremity"),
        ({"BodyPartExamined": "HEART"}, None),
        ({}, None),
    ],
)
def test_site(changes: dict[str, Any], site: str | None) -> None:
    assert read(written(photograph(sample(), **changes))).site == site
