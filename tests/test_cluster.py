"""The same findings from a cluster of two machines, one of which is lost half-way."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from transxv2s.bulk import Here, Image, Line, examine_into, read_lines
from transxv2s.classifier import Classifier, default_checkpoint
from transxv2s.cluster import There, Worker
from transxv2s.errors import CheckpointError, ConfigError

ray = pytest.importorskip("ray", reason="needs Ray: install transxv2s[cluster]")
MEMORY = 100_000_000  # bytes of each machine's object store


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that does no work, and two machines of a core each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
    yield cluster
    ray.shutdown()
    cluster.shutdown()  # type: ignore[no-untyped-call]


@pytest.fixture
def images(pictures: list[Path], tmp_path: Path) -> list[Image]:
    folder = tmp_path / "many"
    folder.mkdir()
    found = [Image(folder / f"{n:02}.jpg", f"id {n}") for n in range(24)]
    for n, image in enumerate(found):
        image.file.write_bytes(pictures[n % len(pictures)].read_bytes())
    found[5].file.write_bytes(b"no picture")
    return found


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
    machines: Any, images: list[Image], classifier: Classifier, tmp_path: Path
) -> None:
    losing = Losing(There(machines.address, default_checkpoint(), 2), machines)
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


def test_a_machine_with_another_checkpoint_is_not_believed() -> None:
    with pytest.raises(CheckpointError, match="is another checkpoint on one of the machines"):
        Worker(str(default_checkpoint()), "of others")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "auto"])
def test_a_cluster_that_is_not_there_is_said_to_be_so(address: str) -> None:
    there = There(address, default_checkpoint(), 2)
    with pytest.raises(ConfigError, match=f"the cluster at {address} does not answer: start it"):
        next(there.lines([Image(Path("a.jpg"), "a")]))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"install transxv2s\[cluster\]"):
        next(There("auto", default_checkpoint(), 2).lines([Image(Path("a.jpg"), "a")]))


def test_the_command_wants_a_file_for_the_findings() -> None:
    command = [sys.executable, "-m", "transxv2s", "predict", "a.jpg", "--cluster", "auto"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    assert "name the file of their findings with --lines" in done.stderr
