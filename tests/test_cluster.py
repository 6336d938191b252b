"""The same findings from a cluster of two machines, one of which is lost half-way."""

import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transxv2s import cluster
from transxv2s.bulk import Here, Image, Line, examine_into, read_lines
from transxv2s.checkpoint import CheckpointConfig, write_checkpoint
from transxv2s.classifier import Classifier, default_checkpoint
from transxv2s.cli.app import main
from transxv2s.cluster import Job, There, Worker
from transxv2s.errors import ConfigError, InputError
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.nets import create
from trusting import plain_trust

ray = pytest.importorskip("ray", reason="needs Ray: install transxv2s[cluster]")
SMALL = "transxv2s_net_efficientnetv2_s"
MEMORY = 100_000_000  # bytes of each machine's object store


@dataclass(frozen=True)
class Machines:
    """A cluster, and where Ray's client finds it."""

    cluster: Any
    from_outside: str


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """A head that does no work, and two machines of a core each."""
    from ray.cluster_utils import Cluster

    port = _free_port()
    head = {"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("GRPC_ENABLE_FORK_SUPPORT", "0")  # or Ray's client server may die: docs/scale.md
        made = Cluster(initialize_head=True, head_node_args=head | {"ray_client_server_port": port})
        for _ in range(2):
            made.add_node(num_cpus=1, object_store_memory=MEMORY)
        _await(port)
        yield Machines(made, f"ray://127.0.0.1:{port}")
        ray.shutdown()
        made.shutdown()  # type: ignore[no-untyped-call]


def _await(port: int) -> None:
    """Ray starts the server for its clients in a process of its own, and does not wait for it."""
    for _ in range(600):
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("Ray's client server did not start")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def images(pictures: list[Path], tmp_path: Path) -> list[Image]:
    folder = tmp_path / "many"
    folder.mkdir()
    found = [Image(folder / f"{n:02}.jpg", f"id {n}") for n in range(24)]
    for n, image in enumerate(found):
        image.file.write_bytes(pictures[n % len(pictures)].read_bytes())
    found[5].file.write_bytes(b"no picture")
    return found


def test_what_keeps_a_worker_from_work_is_its_answer() -> None:
    worker = Worker(Job(str(default_checkpoint()), "of others", "eager", 2))
    batch = {"number": np.arange(2), "file": np.array([b"a", b"b"])}
    batch |= {"id": np.array(["a", "b"]), "group": np.array(["", ""])}
    made = worker(batch)
    assert made["number"].tolist() == [0, 1]
    assert all("is another checkpoint" in line for line in made["line"])


def test_a_cluster_that_dies_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(job: Job, files: cluster.Files) -> Iterator[cluster.Made]:
        raise ray.exceptions.ActorDiedError

    monkeypatch.setattr(cluster, "examined", dying)
    monkeypatch.setattr(cluster, "_connected", lambda address: ray)
    with pytest.raises(
        ConfigError, match=r"the cluster stopped work \(ActorDiedError, .* run the same command"
    ):
        next(There("auto", default_checkpoint(), 2).lines([Image(Path("a.jpg"), "a")]))


def test_engines_are_named_alike_and_not_left_to_each_machine() -> None:
    there = There("auto", default_checkpoint(), 2, "eager-float32")
    assert there.maker["engine"] == "eager"
    with pytest.raises(ConfigError, match="name the engine with --cluster"):
        replace(there, engine="auto")
    with pytest.raises(InputError, match="There is no engine 'fast'"):
        replace(there, engine="fast")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", "auto"])
def test_a_cluster_that_is_not_there_is_said_to_be_so(address: str) -> None:
    there = There(address, default_checkpoint(), 2)
    with pytest.raises(ConfigError, match=f"the cluster at {address} does not answer: start it"):
        next(there.lines([Image(Path("a.jpg"), "a")]))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"install transxv2s\[cluster\]"):
        next(There("auto", default_checkpoint(), 2).lines([Image(Path("a.jpg"), "a")]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "name the file of their findings with --lines"),
        (["--lines", "found.jsonl", "--device", "cuda"], "--device is of this machine: leave it out"),
        (["--lines", "found.jsonl", "--engine", "auto"], "name the engine with --cluster"),
    ],
)
def test_the_command_says_what_does_not_go_together(
    options: list[str], sentence: str, pictures: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["predict", str(pictures[0]), "--cluster", "auto", *options])
    assert left.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights, which is soon exported."""
    folder = tmp_path_factory.mktemp("small")
    size = Preprocessing(size=64)
    config = CheckpointConfig(variant=SMALL, preprocessing=size, trust=plain_trust(min_confidence=0.5))
    write_checkpoint(folder, create(SMALL), config)
    return folder


def test_from_outside_through_rays_client_and_in_the_engine_that_is_named(
    machines: Machines, pictures: list[Path], small: Path, tmp_path: Path
) -> None:
    odd = Path(f"{tmp_path}/odd \udcff.jpg")  # a name that is no UTF-8
    odd.write_bytes(pictures[0].read_bytes())
    asked = [Image(file, str(n)) for n, file in enumerate([*pictures[:2], odd])]
    path = tmp_path / "found.jsonl"
    there = There(machines.from_outside, small, 2, "onnxruntime")
    assert examine_into(path, there, asked) == (3, 0, 0)
    found = {line["place"]: line for line in read_lines(path)}
    here = Here(Classifier.load(small, "cpu", "onnxruntime"), 2)
    for expected in (line for lines in here.lines(asked) for line in lines):
        line = found[expected["place"]]
        assert line.pop("probabilities") == pytest.approx(expected.pop("probabilities"), abs=0.05)
        assert {key: line[key] for key in there.maker} == {key: expected[key] for key in there.maker}
        assert line["id"] == expected["id"]


def test_a_machine_that_cannot_work_is_said_to_be_so_in_one_sentence(
    machines: Machines, images: list[Image], tmp_path: Path
) -> None:
    class Mistaken(There):
        @property
        def maker(self) -> dict[str, str]:
            return super().maker | {"checkpoint": "of others"}

    there = Mistaken(machines.cluster.address, default_checkpoint(), 2)
    sentence = "a machine of the cluster cannot work: .* is another checkpoint on one of the machines: share"
    with pytest.raises(ConfigError, match=sentence):
        examine_into(tmp_path / "found.jsonl", there, images)


class Losing:
    """A cluster of which, when the first findings are there, a machine that is at work goes."""

    def __init__(self, there: There, machines: Any) -> None:
        self._there, self._machines = there, machines
        self.maker = there.maker
        self.lost = 0

    def lines(self, images: list[Image]) -> Iterator[list[Line]]:
        for lines in self._there.lines(images):
            yield lines
            if not self.lost:
                self._lose_one_at_work()

    def _lose_one_at_work(self) -> None:
        actors = ray._private.state.actors().values()
        at_work = {actor["Address"]["NodeID"] for actor in actors if actor["State"] == "ALIVE"}
        node = next(node for node in self._machines.worker_nodes if node.node_id in at_work)
        self._machines.remove_node(node, allow_graceful=False)
        self.lost += 1


def test_every_image_once_and_the_findings_of_one_machine_though_one_is_lost(
    machines: Machines, images: list[Image], classifier: Classifier, tmp_path: Path
) -> None:
    losing = Losing(There(machines.cluster.address, default_checkpoint(), 2), machines.cluster)
    path = tmp_path / "cluster.jsonl"
    done = examine_into(path, losing, images)  # type: ignore[arg-type]
    assert losing.lost == 1
    assert (done.examined, done.failed) == (23, 1)
    alone = tmp_path / "alone.jsonl"
    examine_into(alone, Here(classifier, 2), images)
    found = sorted(read_lines(path), key=lambda line: line["file"])
    for ours, theirs in zip(found, read_lines(alone), strict=True):
        assert ours.pop("probabilities", {}) == pytest.approx(theirs.pop("probabilities", {}), abs=1e-5)
        assert ours == theirs
