"""Shards in processes of a local Ray cluster answer as one engine does, also while one of them is killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samebody.search.engines import build
from samebody.search.errors import EngineMissingError, InvalidProbeError, LayoutError, SearchSpaceMismatchError
from samebody.search.gallery import Gallery, Tuning
from samebody.search.shards import GalleryOpener, ShardedEngine, ShardError
from samebody.search.thresholds import synthetic_vector_space
from samebody.search.types import Layout, Probes
from tests.search.gallery_double import unit

DIMENSION = 16
SPACE = synthetic_vector_space(DIMENSION).digest
SMALL = Tuning(block_bytes=2048, log_bytes=1 << 14, segment_bytes=1 << 15)  # many blocks of 32 records


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra 'ray')")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
        yield ray
        ray.shutdown()


def make(path: Path, count: int, key: bytes | None = None) -> np.ndarray:
    vectors = unit(np.random.default_rng(1), count, DIMENSION)
    with Gallery.create(path, layouts=[Layout("vector", SPACE, DIMENSION)], key=key, tuning=SMALL) as gallery:
        for start in range(0, count, 100):
            part = vectors[start : start + 100]
            gallery.enrol_arrays("vector", [f"s{start + row}" for row in range(len(part))], part, space=SPACE)
    return vectors


def same(sharded: ShardedEngine, path: Path, probes: Probes, k: int = 7, key: bytes | None = None) -> None:
    with Gallery.open(path, key=key) as gallery:
        one = build(gallery.source("vector"))
        for options in ({}, {"minimum_score": 0.3}, {"exclude": np.arange(0, 500, 3)}):
            want, got = one.search(probes, k, **options), sharded.search(probes, k, **options)  # type: ignore[arg-type]
            np.testing.assert_array_equal(want.ids, got.ids)
            np.testing.assert_array_equal(want.scores, got.scores)
            assert got.exact


@pytest.mark.filterwarnings("ignore")
def test_shards_in_processes_answer_as_one_engine_also_when_one_is_killed(cluster: Any, tmp_path: Path) -> None:
    path, key = tmp_path / "gallery", bytes(range(32))
    make(path, 1500, key)
    probes = Probes.of_vectors(unit(np.random.default_rng(2), 9, DIMENSION), SPACE)
    with ShardedEngine(GalleryOpener(path, "vector", key), shards=2, replicas=2) as sharded:
        assert len(sharded) == 1500 and sharded.layout.size == DIMENSION
        same(sharded, path, probes, key=key)
        processes = {process.split(":")[1] for process in sharded.processes}
        assert len(processes) == 2 and str(os.getpid()) not in processes
        cluster.kill(sharded.actors()[0][0])  # queries go on over the replica
        for _ in range(4):
            same(sharded, path, probes, key=key)
        assert sharded.recovered >= 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_shard_without_a_replica_is_recovered_and_all_follow_the_gallery(cluster: Any, tmp_path: Path) -> None:
    path, key = tmp_path / "gallery", bytes(range(32))
    make(path, 1500, key)
    probes = Probes.of_vectors(unit(np.random.default_rng(2), 9, DIMENSION), SPACE)
    with ShardedEngine(GalleryOpener(path, "vector", key), shards=2, replicas=2) as sharded:
        for actor in sharded.actors()[1]:
            cluster.kill(actor)
        same(sharded, path, probes, key=key)
        assert sharded.recovered >= 2
        with Gallery.open(path, key=key, mode="w", tuning=SMALL) as gallery:
            gallery.delete("s3")
            gallery.enrol_arrays("vector", ["new"], np.ascontiguousarray(probes.vectors[:1]), space=SPACE)  # type: ignore[index]
            gallery.compact()
            cluster.kill(sharded.actors()[0][1])  # its successor opens the new state: all go over to it
            for _ in range(3):
                sharded.search(probes, 3)
            sharded.refresh(gallery.source("vector"))
        same(sharded, path, probes, key=key)
        assert len(sharded) == 1500


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_requests_are_checked_as_by_every_engine(cluster: Any, tmp_path: Path) -> None:
    make(tmp_path / "gallery", 40)
    with ShardedEngine(GalleryOpener(tmp_path / "gallery", "vector"), shards=3) as sharded:
        probes = Probes.of_vectors(unit(np.random.default_rng(2), 2, DIMENSION), SPACE)
        assert sharded.search(probes, 100).ids.shape == (2, 100)  # k beyond the gallery; more shards than blocks
        same(sharded, tmp_path / "gallery", probes, k=60)
        with pytest.raises(SearchSpaceMismatchError):
            sharded.search(Probes.of_vectors(unit(np.random.default_rng(2), 2, DIMENSION), "0" * 16), 1)
        with pytest.raises(InvalidProbeError):
            sharded.search(Probes.of_vectors(unit(np.random.default_rng(2), 2, 8), SPACE), 1)
        with pytest.raises(LayoutError):
            sharded.search(probes, 0)
    with pytest.raises(ShardError, match=r"gallery\.not_found"):
        ShardedEngine(GalleryOpener(tmp_path / "nowhere", "vector"))
    with pytest.raises(LayoutError):
        ShardedEngine(GalleryOpener(tmp_path / "gallery", "vector"), shards=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_actors_killed_at_random_never_change_an_answer(cluster: Any, tmp_path: Path) -> None:
    path, generator = tmp_path / "gallery", np.random.default_rng(5)
    make(path, 3000)
    probes = Probes.of_vectors(unit(generator, 5, DIMENSION), SPACE)
    with ShardedEngine(GalleryOpener(path, "vector"), shards=3, replicas=2) as sharded:
        for _ in range(25):
            actors = [actor for kept in sharded.actors() for actor in kept]
            for number in generator.choice(len(actors), int(generator.integers(1, 4)), replace=False):
                cluster.kill(actors[number])
            same(sharded, path, probes)


def test_a_missing_ray_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineMissingError, match=r"samebody\[ray\]"):
        ShardedEngine(GalleryOpener(tmp_path, "vector"))


def test_an_opener_never_shows_its_key(tmp_path: Path) -> None:
    assert "secret" not in repr(GalleryOpener(tmp_path, "vector", b"secret" * 5))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_commands_run_on_a_cluster(cluster: Any, tmp_path: Path) -> None:
    import json

    from click.testing import CliRunner

    from samebody.cli.main import cli

    def answer(*arguments: object) -> dict[str, Any]:
        result = CliRunner().invoke(cli, ["gallery", *map(str, arguments), "--json"])
        assert result.exit_code in (0, 1), (result.output, result.exception)
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    path = tmp_path / "people"
    answer("create", path, "--synthetic", "vector", "--count", 3000, "--dimension", 64, "--plain")
    ray = ("--engine", "ray", "--shards", "2", "--replicas", "1")
    (one,) = answer("identify", path, "--synthetic-person", 77)["searches"]
    (many,) = answer("identify", path, "--synthetic-person", 77, *ray)["searches"]
    assert one["candidates"] == many["candidates"] and many["answer"] == "match"
    processes = {name.split(":")[1] for name in many["engines"]["vector"]["notes"]["answered_by"]}
    assert len(processes) >= 1 and str(os.getpid()) not in processes
    one, many = answer("dedupe", path, "--false-pairs", 20), answer("dedupe", path, "--false-pairs", 20, *ray)
    assert one["groups"] == many["groups"] and one["groups"] and many["engines"]["vector"].startswith("ray")
