"""Parallel work on a Dask cluster of a scheduler and two workers that know nothing of graft."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from distributed import Client, LocalCluster

from graft.common import cluster
from graft.common.files import InputError
from graft.common.parallel import run_parallel
from graft.grids.grid import Grid
from graft.ingest.manifest import Storage, VolumeOptions, read_manifest
from graft.scans import domain
from stages import ensemble, learning_curve, paths
from tests import work
from tests.small_target import edit_parameters, write_model, write_project

OUTPUTS = (
    paths.ENSEMBLE["bagging"] / "weights.safetensors",
    paths.ENSEMBLE["bagging"] / "card.json",
    paths.CURVES / "ensemble-bagging/plots/metrics/train_loss.tsv",
    paths.REPEATED["learning_curve"],
)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory) -> Iterator[str]:
    """The address of the scheduler. Work that kills two workers is given up."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    environment.pop("PYTHONPATH", None)
    options = {
        "scheduler": ("--host", "127.0.0.1", "--port", "0"),
        "worker": ("--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder)),
    }
    started = []
    for name, further in options.items():
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *further]
        command += ["--no-dashboard", "--scheduler-file", str(file)]
        log = (folder / f"{name}.log").open("w")
        started.append(
            subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        )
    while not file.exists():
        assert started[0].poll() is None
        time.sleep(0.05)
    address = json.loads(file.read_text())["address"]
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address
    for process in reversed(started):
        process.terminate()
        process.wait()


@pytest.fixture
def on_cluster(scheduler, monkeypatch, tmp_path) -> Path:
    """Work runs on the cluster, in this folder."""
    monkeypatch.setenv("GRAFT_SCHEDULER", scheduler)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_both_workers_run_it_in_the_same_folder_with_one_thread_each(on_cluster, capsys):
    finished = []
    found = run_parallel(work.describe, range(8), finished.append)
    assert [each["number"] for each in found] == list(range(8))
    processes = {each["process"] for each in found}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert {each["folder"] for each in found} == {str(on_cluster)}
    assert all(each["threads"] == {1} for each in found)
    lines = capsys.readouterr().out.splitlines()
    expected = []
    for number in finished:
        expected += [f"number {number}", f"end of {number}"]
    assert lines == expected


def test_an_error_of_a_worker_has_its_type_and_text(on_cluster):
    with pytest.raises(InputError, match="^scan 3: is empty, expected voxels$"):
        run_parallel(work.refuse_three, range(8))


def test_trainings_have_the_same_bytes_as_here(on_cluster, monkeypatch):
    write_project()
    edit_parameters(ensemble={"members": 2}, learning_curve={"draws": 1})
    write_model(paths.REGULARIZED)
    write_model(paths.PRETRAINED)
    written = []
    for address in (os.environ["GRAFT_SCHEDULER"], ""):
        monkeypatch.setenv("GRAFT_SCHEDULER", address)
        ensemble.main("bagging")
        learning_curve.main()
        written.append([path.read_bytes() for path in OUTPUTS])
        for left in (".graft", "metrics", "models/ensemble"):
            shutil.rmtree(left)
    assert written[0] == written[1]


def test_a_worker_with_other_code_is_refused(on_cluster, monkeypatch):
    monkeypatch.setattr(cluster, "running_code", lambda: "other code")
    with pytest.raises(InputError, match="^GRAFT_SCHEDULER: a worker of .* has other code"):
        run_parallel(work.describe, range(2))


@pytest.mark.parametrize(
    ("folder", "fault"), [("/not/shared", "no folder /not/shared"), ("", "another folder")]
)
def test_a_worker_without_this_folder_is_refused(on_cluster, monkeypatch, folder, fault):
    class Elsewhere:
        """A mark in a folder that the workers do not share."""

        name = str(Path(folder or on_cluster) / "mark")

        def cleanup(self) -> None:
            pass

    monkeypatch.setattr(cluster, "TemporaryDirectory", lambda **_: Elsewhere())
    with pytest.raises(InputError, match=f"a worker of .* has {fault}.*, expected the"):
        run_parallel(work.describe, range(2))


def test_the_work_of_a_killed_worker_runs_again(on_cluster):
    assert run_parallel(work.kill_worker_once, [on_cluster / "killed"]) == [True]


def test_work_that_kills_every_worker_gives_one_message(on_cluster, capfd):
    with pytest.raises(InputError, match="workers of .* were killed several times by one piece"):
        run_parallel(work.kill_worker, [os.getpid()])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("address", ["two", "http://host:1", "tcp://host", "tcp:// :1"])
def test_something_else_than_an_address_is_refused(monkeypatch, address):
    monkeypatch.setenv("GRAFT_SCHEDULER", address)
    with pytest.raises(InputError, match="^GRAFT_SCHEDULER: got '.*', expected the address of a D"):
        run_parallel(work.describe, range(2))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tls://127.0.0.1:1"])
def test_an_address_without_a_scheduler_is_refused(monkeypatch, address):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    monkeypatch.setenv("GRAFT_SCHEDULER", address)
    with pytest.raises(InputError, match=f"^GRAFT_SCHEDULER: {address} does not answer "):
        run_parallel(work.describe, range(2))


@pytest.mark.parametrize(
    ("workers", "message"),
    [(0, "has no workers, expected at least one within 0.2 s"), (1, "has 2 threads, expected one")],
)
def test_a_cluster_without_suitable_workers_is_refused(monkeypatch, workers, message):
    monkeypatch.setattr(cluster, "WAIT_FOR_WORKERS_S", 0.2)
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        dashboard_address=":0",
    ) as unsuitable:
        monkeypatch.setenv("GRAFT_SCHEDULER", unsuitable.scheduler_address)
        with pytest.raises(InputError, match=message):
            run_parallel(work.describe, range(2))


def test_scans_that_a_cluster_reads_have_the_same_bytes(on_cluster, monkeypatch):
    monkeypatch.setattr(domain, "MIN_PARALLEL_BYTES", 0)
    raw = on_cluster / "raw"
    raw.mkdir()
    lines = ["patient,image,label,x,y,z"]
    for number in range(5):
        voxels = np.random.default_rng(number).random((9, 9, 9), np.float32)
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), raw / f"{number}.nii.gz")
        lines.append(f"p{number},{number}.nii.gz,{'ab'[number % 2]},4,4,4")
    (raw / "manifest.csv").write_text("\n".join(lines) + "\n")
    grid = Grid((6, 6, 6), (1.0, 1.0, 1.0), (0.0, 1.0))
    found = []
    for place in ("cluster", "here"):
        storage = Storage(Path(f".graft/{place}"), Path(place))
        storage.arrays.mkdir()
        made = read_manifest(Path("raw"), "lung", ["a", "b"], grid, VolumeOptions(storage=storage))
        found.append(((storage.arrays / "images.npy").read_bytes(), made.index.to_csv()))
        monkeypatch.delenv("GRAFT_SCHEDULER", raising=False)
    assert found[0] == found[1]
