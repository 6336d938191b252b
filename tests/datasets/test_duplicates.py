"""Copies are found whatever was done to them; different pictures are not."""

import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from transxv2s.datasets.duplicates import (
    Fingerprints,
    Pair,
    disc,
    find_pairs,
    find_pairs_between,
    fingerprints,
    frame,
    making,
    quantised,
    search,
)
from transxv2s.errors import DataError, ImageError
from transxv2s.imaging.decode import decode

Rgb = NDArray[np.uint8]
SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.jpg"))


def generated(seed: int, height: int = 150, width: int = 200) -> Rgb:
    """A blob on skin with texture of its own."""
    random = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(random.normal(0, 60, (height, width, 3)), (0, 0), 4)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    blob = 90 * np.exp(-(x**2 + y**2) / 0.2)[..., None]
    colours = np.clip((200, 160, 140) - blob + noise * 3, 0, 255)
    return np.asarray(colours, np.uint8)


def turned(image: Rgb, degrees: float) -> Rgb:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height)), np.uint8)


def resized(image: Rgb, width: int, height: int) -> Rgb:
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def scaled(image: Rgb, factor: float) -> Rgb:
    return resized(image, round(image.shape[1] * factor), round(image.shape[0] * factor))


KINDS: dict[str, tuple[Callable[[Rgb], Rgb], int]] = {
    "quality 30": (lambda i: i, 30),
    "quality 95": (lambda i: i, 95),
    "scale 0.4": (lambda i: scaled(i, 0.4), 90),
    "scale 2": (lambda i: scaled(i, 2), 90),
    "squashed": (lambda i: resized(i, 84, 84), 90),
    "mirrored": (lambda i: i[:, ::-1], 90),
    "upside down": (lambda i: i[::-1], 90),
    "turned by 90": (np.rot90, 90),
    "turned by 180": (lambda i: np.rot90(i, 2), 90),
    "turned by 270": (lambda i: np.rot90(i, 3), 90),
    "turned by 37": (lambda i: turned(i, 37), 90),
    "mirrored, turned by 200": (lambda i: turned(np.ascontiguousarray(i[:, ::-1]), 200), 90),
    "squashed, turned, brighter, quality 50": (
        lambda i: np.clip(np.rot90(resized(i, 84, 84)) * 1.1 + 8, 0, 255).astype(np.uint8),
        50,
    ),
}


def written(folder: Path, images: Sequence[Rgb], quality: int = 90) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{position}.jpg" for position in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(np.ascontiguousarray(image)).save(path, quality=quality)
    return paths


def originals() -> list[Rgb]:
    return [decode(path) for path in SAMPLES] + [generated(seed) for seed in range(6)]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Fingerprints:
    return fingerprints(written(tmp_path_factory.mktemp("known"), originals()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_copy_is_found_and_nothing_else(kind: str, known: Fingerprints, tmp_path: Path) -> None:
    change, quality = KINDS[kind]
    copies = fingerprints(written(tmp_path, [change(image) for image in originals()], quality))
    pairs = find_pairs_between(known, copies)
    assert [(p.first, p.second) for p in pairs] == [(n, n) for n in range(len(known))]
    assert {p.kind for p in pairs} == {"near"}
    assert all(0.7 < p.similarity <= 1 for p in pairs)


def test_different_pictures_are_no_pair(known: Fingerprints) -> None:
    assert find_pairs(known) == []


def test_identical_files_are_exact_pairs(tmp_path: Path) -> None:
    paths = written(tmp_path, [generated(0), generated(1), generated(2)])
    again = [Path(shutil.copy(paths[1], tmp_path / f"again {n}.jpg")) for n in range(2)]
    found = find_pairs(fingerprints([*paths, *again]))
    assert found == [Pair(1, 3, "exact", 1.0), Pair(1, 4, "exact", 1.0), Pair(3, 4, "exact", 1.0)]


def test_a_blank_picture_is_no_copy_of_another(tmp_path: Path) -> None:
    blank = [np.full((90, 120, 3), level, np.uint8) for level in (0, 90, 180, 255)]
    found = fingerprints(written(tmp_path, blank))
    assert find_pairs(found) == []


def test_the_dark_surround_does_not_make_copies(tmp_path: Path) -> None:
    y, x = np.mgrid[-1:1:150j, -1:1:200j]
    seen = (x**2 + y**2 < 0.8)[..., None]
    found = fingerprints(written(tmp_path, [generated(seed) * seen for seed in range(8)]))
    assert find_pairs(found) == []


def test_pairs_do_not_depend_on_order_or_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = originals()
    copies = [np.rot90(images[3]), turned(images[5], 50), images[11][:, ::-1]]
    found = fingerprints(written(tmp_path, images + copies))
    pairs = find_pairs(found)
    expected = {(3, 15), (5, 16), (11, 17)}
    assert {(p.first, p.second) for p in pairs} == expected
    order = np.random.default_rng(0).permutation(len(found))
    monkeypatch.setattr(search, "BLOCK", 500)
    monkeypatch.setattr(search, "AT_ONCE", 2)
    shuffled = find_pairs(found.take(order.tolist()))
    assert {tuple(sorted((order[p.first], order[p.second]))) for p in shuffled} == expected
    again = find_pairs(found)
    assert [(p.first, p.second, p.kind) for p in again] == [(p.first, p.second, p.kind) for p in pairs]
    similar = [p.similarity for p in again]
    rounding = 32 * float(np.finfo(np.float32).eps)  # sums of other blocks are taken in another order
    assert similar == pytest.approx([p.similarity for p in pairs], abs=rounding)


def test_within_a_set_is_each_pair_of_the_set_with_itself_once(tmp_path: Path) -> None:
    images = originals()[:6]
    found = fingerprints(written(tmp_path, [*images, *(image[::-1] for image in images)]))
    both = [p for p in find_pairs_between(found, found) if p.first < p.second]
    assert [(p.first, p.second) for p in both] == [(n, n + 6) for n in range(6)]
    within = find_pairs(found)
    assert [(p.first, p.second, p.kind) for p in within] == [(p.first, p.second, p.kind) for p in both]
    assert [p.similarity for p in within] == pytest.approx([p.similarity for p in both], abs=1e-5)


@pytest.mark.parametrize("transform", range(8))
def test_transforms_of_the_fingerprint_are_transforms_of_the_picture(transform: int) -> None:
    image = decode(SAMPLES[0])
    swap, up, left = transform // 4, transform // 2 % 2, transform % 2
    other = image.transpose(1, 0, 2) if swap else image
    other = np.ascontiguousarray(other[:: -1 if up else 1, :: -1 if left else 1])
    transformed = frame.dihedral(frame.vectors(frame.describe(image)[None]))[transform, 0]
    described = frame.vectors(frame.describe(other)[None])[0]
    assert float(transformed @ described) > 0.998  # numbers at the edge of two levels may fall either way


def test_disc_correlation_is_the_largest_over_turns() -> None:
    """Brute force: every angle, both ways round, without a Fourier transform."""
    random = np.random.default_rng(0)
    a, b = (disc.waves(random.integers(0, 256, (5, disc.BYTES), np.uint8)) for _ in range(2))
    for first, second, found in zip(a, b, disc.correlations(a, b), strict=True):
        angles = 2 * np.pi * np.arange(disc.TURNS) / disc.TURNS
        phases = np.exp(1j * disc.FREQUENCY * angles[:, None])
        values = [np.real(first * phases * other).sum(1).max() for other in (second, second.conj())]
        assert found == pytest.approx(max(values), abs=1e-5)


def test_turning_a_disc_keeps_its_magnitudes() -> None:
    image = generated(3, 160, 160)
    a, b = (disc.waves(disc.describe(i)[None]) for i in (image, turned(image, 33)))
    assert (disc.magnitudes(a) @ disc.magnitudes(b).T).item() > 0.9


def test_four_bits_keep_sign_and_size() -> None:
    values = np.random.default_rng(0).normal(0, 7, 231).astype(np.float32)
    back = quantised.unpacked(quantised.packed(values)[None], len(values))[0]
    assert np.array_equal(np.sign(back), np.sign(values))
    assert np.corrcoef(values, back)[0, 1] > 0.98
    assert np.array_equal(quantised.unpacked(quantised.packed(-values)[None], len(values))[0], -back)


def test_saved_and_loaded_they_are_the_same(known: Fingerprints, tmp_path: Path) -> None:
    known.save(tmp_path / "known.npz")
    loaded = Fingerprints.load(tmp_path / "known.npz")
    assert [a.tolist() for a in loaded.to_arrays().values()] == [
        a.tolist() for a in known.to_arrays().values()
    ]


def test_compact_ones_are_small_and_find_all_but_turns_by_any_angle(
    known: Fingerprints, tmp_path: Path
) -> None:
    flipped, oblique = (KINDS[kind][0] for kind in ("mirrored", "turned by 37"))
    compact = known.compact()
    images = originals()
    found = fingerprints(written(tmp_path, [flipped(images[4]), oblique(images[7])]))
    assert sum(a[0].nbytes for a in (compact.digests, compact.frames, compact.discs)) <= 128
    assert [(p.first, p.second) for p in find_pairs_between(compact, found)] == [(4, 0)]
    assert [(p.first, p.second) for p in find_pairs_between(known, found)] == [(4, 0), (7, 1)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda a: a | {"version": np.array(99)},
        lambda a: a | {"frames": a["frames"][:, 1:]},
        lambda a: a | {"digests": a["digests"][1:]},
        lambda a: a | {"discs": a["discs"].astype(np.float32)},
    ],
)
def test_other_arrays_are_refused(
    damage: Callable[[dict[str, NDArray[np.generic]]], dict[str, NDArray[np.generic]]], known: Fingerprints
) -> None:
    with pytest.raises(ValueError, match=r"version|bytes an image"):
        Fingerprints.from_arrays(damage(known.to_arrays()))


def test_no_images_have_no_pairs(known: Fingerprints) -> None:
    nothing = fingerprints([])
    assert len(nothing) == 0
    assert (
        find_pairs(nothing) == find_pairs_between(nothing, known) == find_pairs_between(known, nothing) == []
    )


def count_decodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []

    def counted(path: Path) -> Rgb:
        seen.append(path.name)
        return decode(path)

    monkeypatch.setattr(making, "decode", counted)
    return seen


def test_the_cache_is_used_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = count_decodings(monkeypatch)
    paths = written(tmp_path / "images", [generated(0), generated(1)])
    before = fingerprints(paths, tmp_path / "cache")
    assert np.array_equal(fingerprints(paths, tmp_path / "cache").frames, before.frames)
    assert sorted(seen) == ["0.jpg", "1.jpg"]
    written(tmp_path / "images", [generated(0), generated(2)])[1].touch()
    shutil.copystat(paths[1], paths[0])
    after = fingerprints(paths, tmp_path / "cache")
    fresh = fingerprints(paths)
    assert np.array_equal(after.frames, fresh.frames)
    assert not np.array_equal(after.frames[1], before.frames[1])


def test_an_interrupted_cache_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = written(tmp_path / "images", [generated(seed) for seed in range(3)])
    cache = tmp_path / "cache"
    fingerprints(paths[:2], cache)
    (file,) = [path for path in cache.iterdir() if path.suffix != ".lock"]
    file.write_bytes(file.read_bytes()[:-5])
    fingerprints(paths, cache)
    seen = count_decodings(monkeypatch)
    assert np.array_equal(fingerprints(paths, cache).discs, fingerprints(paths).discs)
    assert sorted(seen) == ["0.jpg", "1.jpg", "2.jpg"]  # by the second call, which has no cache


def test_an_unreadable_image_is_named_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written(tmp_path / "images", [generated(0), generated(1), generated(2)])
    paths[1].write_text("no image")
    paths.append(tmp_path / "absent.jpg")
    with pytest.raises(
        ImageError, match=r"^1\.jpg: .*\(2 images, for example 1\.jpg, absent\.jpg, cannot be read\)"
    ):
        fingerprints(paths, tmp_path / "cache")
    seen = count_decodings(monkeypatch)
    fingerprints([paths[0], paths[2]], tmp_path / "cache")
    assert seen == []


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match="cannot be written"):
        fingerprints(written(tmp_path / "images", [generated(0)]), tmp_path / "cache" / "folder")


def test_known_copies_in_isic_2019_are_found(shared_dir: Path, tmp_path: Path) -> None:
    """The 50 byte-identical pairs and a pair of HAM10000 with other colours, among 1,000 other images."""
    with tarfile.open(shared_dir / "data" / "isic2019.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    root = tmp_path / "isic2019"
    table = [row.split(",") for row in (root / "byte_identical_groups.csv").read_text().split()[1:]]
    twins = {row[1] for row in table} | {"ISIC_0025226", "ISIC_0030074"}
    paths = sorted((root / "ISIC_2019_Training_Input").iterdir())
    chosen = [path for n, path in enumerate(paths) if path.stem in twins or n % 25 == 0]
    names = [path.stem for path in chosen]
    pairs = find_pairs(fingerprints(chosen))
    groups: dict[str, list[str]] = {}
    for row in table:
        groups.setdefault(row[0], []).append(row[1])
    exact = {tuple(sorted((names[p.first], names[p.second]))) for p in pairs if p.kind == "exact"}
    assert exact == {tuple(sorted(group)) for group in groups.values()}
    assert ("ISIC_0025226", "ISIC_0030074") in {(names[p.first], names[p.second]) for p in pairs}
