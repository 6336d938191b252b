"""The front door with real networks of random weights: one answer, whatever the way, batch or thread."""

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from transxv2s import NOTICE, classifier, nets
from transxv2s.checkpoint import Checkpoint, CheckpointConfig, write_checkpoint
from transxv2s.classifier import BATCH, Classifier, Prepared, Source, default_checkpoint, unique_ids
from transxv2s.errors import CheckpointError, ImageError, InputError
from transxv2s.finding import Finding
from transxv2s.imaging.pipeline import Preprocessing, to_tensor
from transxv2s.imaging.quality import quality_notes
from transxv2s.taxonomy import ISIC2019
from trusting import plain_trust

SMALL, FULL = "transxv2s_net_efficientnetv2_s", "transxv2s_net"
TEMPERATURE, LIMIT = 2.0, 0.1
TRUST = plain_trust(TEMPERATURE, LIMIT, min_confidence=0.6)

Picture = NDArray[np.uint8]


def lesion(seed: int, height: int = 150, width: int = 200) -> Picture:
    """A textured brown blot on textured skin, of a seed's own place, size and colours."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    centre = generator.uniform(0.35, 0.65, 2) * (height, width)
    distance = np.hypot(rows - centre[0], columns - centre[1]) / (height * generator.uniform(0.2, 0.4))
    blot = 1 / (1 + np.exp(8 * (distance - 1)))[..., None]
    skin, brown = generator.uniform((190, 130, 110), (240, 180, 160)), generator.uniform(40, 120, 3)
    picture = skin * (1 - blot) + brown * blot + generator.normal(0, 12, (height, width, 3))
    return np.asarray(picture.clip(0, 255), dtype=np.uint8)


def random_checkpoint(variant: str, calibrated: bool = True) -> Checkpoint:
    """Random weights of a fixed seed, made as insensitive to rounding as trained ones.

    In a network as it is first made, squeeze-and-excitation multiplies activations by thousands, and
    rounding with them: some pictures then change by 1e-3 with the order of a sum. So batch norm gets the
    statistics of pictures, and a small weight, which lets the skip connections prevail.
    """
    torch.manual_seed(0)
    model = nets.create(variant)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean, instead of one step of ten towards it
            nn.init.constant_(module.weight, 0.1)
    preprocessing = Preprocessing()
    squares = torch.stack([to_tensor(preprocessing.apply(lesion(seed))) for seed in range(100, 108)])
    with torch.no_grad():
        model.train()(squares)
        model.get_parameter("classifier.weight").mul_(4)  # so that pictures differ in what is predicted
    config = CheckpointConfig(
        variant=variant,
        preprocessing=preprocessing,
        trust=TRUST if calibrated else None,
    )
    return Checkpoint(config, model.eval, "0123456789ab")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint directory of the small variant."""
    checkpoint = random_checkpoint(SMALL)
    path = tmp_path_factory.mktemp("checkpoints") / "small"
    write_checkpoint(path, checkpoint.model, checkpoint.config)
    return path


@pytest.fixture(scope="module")
def small(folder: Path) -> Classifier:
    return Classifier.load(folder, device="cpu")


@pytest.fixture(scope="module")
def full() -> Classifier:
    return Classifier(random_checkpoint(FULL), device="cpu")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Twenty lossless pictures: more than one batch."""
    paths = [tmp_path / f"ISIC_{seed:07}.png" for seed in range(BATCH + 4)]
    for seed, path in enumerate(paths):
        Image.fromarray(lesion(seed)).save(path)
    return paths


def vectors(findings: Sequence[Finding]) -> NDArray[np.float64]:
    return np.array([list(finding.probabilities.values()) for finding in findings])


def test_a_finding_says_what_the_network_says(small: Classifier) -> None:
    """Recomputed by hand: preprocessing, network, softmax at the temperature, set, names."""
    picture = lesion(3)
    finding = small.classify(picture)
    square = small.config.preprocessing.apply(picture)
    network = random_checkpoint(SMALL).model
    with torch.inference_mode():
        logits = network(to_tensor(square)[None])[0].double()
    expected = torch.softmax(logits / TEMPERATURE, dim=0)
    codes = [ISIC2019.codes[k] for k in expected.argsort(descending=True)]
    assert tuple(finding.probabilities) == ISIC2019.codes
    np.testing.assert_allclose(vectors([finding])[0], expected, atol=1e-5)
    assert finding.predicted == codes[0]
    assert finding.predicted_name == ISIC2019[codes[0]].name
    assert finding.prediction_set == codes[: max(1, int((expected >= LIMIT).sum()))]
    assert finding.may_be.startswith(finding.predicted_name)
    assert finding.quality == quality_notes(picture)
    assert (finding.id, finding.model, finding.checkpoint) == ("image", SMALL, small.digest)
    assert finding.notice == NOTICE


def test_random_pictures_are_told_apart(small: Classifier, full: Classifier) -> None:
    """Otherwise the comparisons below would compare a constant with itself."""
    pictures = [lesion(seed) for seed in range(4)]
    for any_classifier in (small, full):
        probabilities = vectors(any_classifier.classify(pictures))
        assert np.ptp(probabilities, axis=0).max() > 1e-3


@pytest.mark.parametrize("name", ["small", "full"])
def test_the_answer_does_not_depend_on_the_rest_of_the_batch(
    name: str, request: pytest.FixtureRequest
) -> None:
    tested: Classifier = request.getfixturevalue(name)
    pictures = [lesion(seed) for seed in range(5)]
    alone = vectors([tested.classify(picture) for picture in pictures])
    together = vectors(tested.classify(pictures))
    backwards = vectors(tested.classify(pictures[::-1]))[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(backwards, alone, atol=1e-5)


def test_paths_bytes_and_arrays_of_one_picture_agree(small: Classifier, files: list[Path]) -> None:
    path = files[0]
    sources: list[Source] = [path, str(path), path.read_bytes(), lesion(0)]
    findings = [small.classify(source) for source in sources]
    assert [finding.id for finding in findings] == [path.stem, path.stem, "image", "image"]
    assert len({finding.model_copy(update={"id": ""}).to_json() for finding in findings}) == 1


def test_long_lists_go_in_batches_and_keep_their_order(
    small: Classifier, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    original = Classifier.findings

    def counted(self: Classifier, images: Sequence[Prepared]) -> list[Finding]:
        sizes.append(len(images))
        return original(self, images)

    monkeypatch.setattr(Classifier, "findings", counted)
    findings = small.classify(files)
    assert sizes == [BATCH, 4]
    assert [finding.id for finding in findings] == [path.stem for path in files]
    last = small.classify(files[-1])
    np.testing.assert_allclose(vectors(findings[-1:]), vectors([last]), atol=1e-5)


def test_an_empty_list_has_no_findings(small: Classifier) -> None:
    assert small.classify([]) == []
    assert small.findings([]) == []


def test_one_bad_image_in_a_list_is_named(small: Classifier, files: list[Path]) -> None:
    files[2].write_bytes(b"not an image")
    with pytest.raises(ImageError, match=files[2].stem) as caught:
        small.classify(files[:4])
    assert files[2].stem in caught.value.name
    nameless: list[Source] = [lesion(0), b"not an image"]
    with pytest.raises(ImageError) as caught:
        small.classify(nameless)
    assert caught.value.name == "image_2"


def test_prepared_pictures_carry_what_a_report_shows(small: Classifier, files: list[Path]) -> None:
    prepared = small.prepare(files[1])
    assert prepared.id == files[1].stem
    np.testing.assert_array_equal(prepared.original, lesion(1))
    np.testing.assert_array_equal(prepared.seen, small.config.preprocessing.apply(lesion(1)))
    assert small.prepare(files[1].read_bytes(), name="upload.png").id == "upload"
    assert small.findings([prepared])[0].id == files[1].stem


def test_ids_of_a_list_are_unique(small: Classifier) -> None:
    sources: list[Source] = ["a/x.png", "b/x.jpg", "x_2.png", b"", b"", "c/x.png", "image.png"]
    assert unique_ids(sources) == ["x", "x_3", "x_2", "image", "image_2", "x_4", "image_3"]
    assert [finding.id for finding in small.classify([lesion(0), lesion(1)])] == ["image", "image_2"]


def test_threads_get_the_sequential_answers(small: Classifier, folder: Path, files: list[Path]) -> None:
    sequential = [small.classify(path) for path in files[:8]]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(small.classify, files[:8])) == sequential
        loaded = list(pool.map(lambda path: Classifier.load(folder, "cpu").classify(path), files[:4]))
    assert loaded == sequential[:4]


def test_an_uncalibrated_checkpoint_never_answers_alone() -> None:
    uncalibrated = Classifier(random_checkpoint(SMALL, calibrated=False), device="cpu")
    calibrated = Classifier(random_checkpoint(SMALL), device="cpu")
    pictures = [lesion(seed) for seed in range(6)]
    findings = uncalibrated.classify(pictures)
    for finding in findings:
        assert finding.decision == "expert_review"
        assert "not calibrated" in finding.reasons[0]
        assert not any("an answer needs" in reason for reason in finding.reasons)
        assert finding.prediction_set == [finding.predicted]
    sharper, softer = vectors(findings), vectors(calibrated.classify(pictures))
    squared = softer**TEMPERATURE  # softmax(z) is softmax(z / T) to the power T, normalised
    np.testing.assert_allclose(sharper, squared / squared.sum(axis=1, keepdims=True), atol=1e-6)


def test_what_is_wrong_with_an_image_is_noted_and_a_reason(small: Classifier) -> None:
    finding = small.classify((lesion(0) // 20).astype(np.uint8))
    assert any("dark" in note for note in finding.quality)
    assert set(finding.quality) <= set(finding.reasons)
    assert finding.decision == "expert_review"


def test_referral_follows_the_checkpoints_parameters() -> None:
    checkpoint = random_checkpoint(SMALL)
    for limit, low in ((0.0, False), (1.0, True)):
        config = checkpoint.config.model_copy(update={"trust": plain_trust(min_confidence=limit)})
        finding = Classifier(Checkpoint(config, checkpoint.make_model, "0" * 12), "cpu").classify(lesion(0))
        assert any("an answer needs 100 %" in reason for reason in finding.reasons) is low


def test_a_model_left_in_training_mode_is_put_in_evaluation_mode(small: Classifier) -> None:
    checkpoint = random_checkpoint(SMALL)
    checkpoint.model.train()
    finding = Classifier(checkpoint, "cpu").classify(lesion(0))
    np.testing.assert_allclose(vectors([finding]), vectors([small.classify(lesion(0))]), atol=1e-6)


@pytest.mark.usefixtures("with_bfloat16")
@pytest.mark.parametrize("engine", ["eager", "eager-bfloat16"])
def test_a_network_that_was_first_asked_for_in_inference_mode_can_be_explained(
    engine: str, folder: Path, small: Classifier
) -> None:
    """Weights made there could take no gradients, ever after."""
    expected = small.heat_maps([small.prepare(lesion(0))], ["NV"], ["hirescam"])[0][0]
    with torch.inference_mode():
        late = Classifier.load(folder, "cpu", engine)
        found = late.heat_maps([late.prepare(lesion(0))], ["NV"], ["hirescam"])[0][0]
    np.testing.assert_allclose(found.values, expected.values, atol=1e-4)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="'cuda:99' cannot be used"):
        Classifier(random_checkpoint(SMALL), device="cuda:99")


def test_auto_device_answers(folder: Path, small: Classifier) -> None:
    finding = Classifier.load(folder).classify(lesion(0))
    assert finding.predicted == small.classify(lesion(0)).predicted


def test_from_pretrained_takes_a_directory(folder: Path, small: Classifier) -> None:
    assert Classifier.from_pretrained(folder).digest == small.digest


def test_from_pretrained_fetches_what_a_checkpoint_needs(
    folder: Path, small: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def download(repo_id: str, **options: object) -> str:
        asked.update(options, repo_id=repo_id)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert Classifier.from_pretrained("clinic/model", revision="v1").digest == small.digest
    assert (asked["repo_id"], asked["revision"]) == ("clinic/model", "v1")
    assert "*.bin" not in str(asked["allow_patterns"])


@pytest.mark.parametrize("name", ["nobody/nothing", "no such/repository name", "./missing/directory"])
def test_a_failed_download_says_what_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the real client, offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"could not be fetched.*check the name and the network"):
        Classifier.from_pretrained(name)


def test_default_checkpoint_is_the_variables_or_the_checkouts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "SHIPPED_CHECKPOINT", tmp_path / "shipped")
    monkeypatch.delenv("TRANSXV2S_CHECKPOINT", raising=False)
    with pytest.raises(CheckpointError, match="set TRANSXV2S_CHECKPOINT"):
        default_checkpoint()
    (tmp_path / "shipped").mkdir()
    assert default_checkpoint() == tmp_path / "shipped"
    monkeypatch.setenv("TRANSXV2S_CHECKPOINT", str(folder))
    assert default_checkpoint() == folder
    monkeypatch.setenv("TRANSXV2S_CHECKPOINT", str(tmp_path / "moved"))
    with pytest.raises(CheckpointError, match="moved, which is no directory"):
        default_checkpoint()


def test_the_checkouts_checkpoint_is_where_the_repository_keeps_it() -> None:
    repository = Path(__file__).resolve().parents[1]
    assert repository / "checkpoints" / "transxv2s_net" == classifier.SHIPPED_CHECKPOINT


def test_a_damaged_checkpoint_does_not_load(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.safetensors")))
    with pytest.raises(CheckpointError, match=r"has no model"):
        Classifier.load(copy)


def test_a_finding_is_json(small: Classifier) -> None:
    finding = small.classify(lesion(0))
    assert json.loads(finding.to_json())["checkpoint"] == small.digest
    assert Finding.model_validate_json(finding.to_json()) == finding
