import os
import signal

import numpy as np
import pytest

from graft.repeated import cache
from graft.repeated.cache import CachedTraining, collect_results


def collect_four(folder, ran, killed_in=None):
    """The bytes of four trainings, which append to `ran`; in one of them the process is killed."""
    trainings = []
    for k in range(4):

        def run(k=k):
            ran.append(k)
            if k == killed_in:
                os.kill(os.getpid(), signal.SIGKILL)
            return {"predicted": np.full(3, k / 7)}

        trainings.append(CachedTraining(f"training {k}", ["arm", k], run))
    results = collect_results("curve", trainings, folder)
    return b"".join(arrays["predicted"].tobytes() for arrays in results)


def test_a_killed_run_resumes_with_the_trainings_that_are_left(tmp_path, capsys):
    folder = tmp_path / "killed"
    child = os.fork()
    if not child:
        collect_four(folder, [], killed_in=2)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert len(list(folder.iterdir())) == 2
    resumed = []
    complete = []
    found = collect_four(folder, resumed)
    assert resumed == [2, 3]
    assert "curve: training 4/4  training 3" in capsys.readouterr().out
    assert collect_four(tmp_path / "complete", complete) == found
    assert complete == [0, 1, 2, 3]


@pytest.fixture
def count_runs(tmp_path):
    """A function that collects one training with a key, and returns how often any has run."""
    runs = []

    def run():
        runs.append(1)
        return {"predicted": np.arange(2)}

    def collect(key):
        (found,) = collect_results("curve", [CachedTraining("one", key, run)], tmp_path)
        assert found["predicted"].tolist() == [0, 1]
        return len(runs)

    return collect


def test_a_training_with_another_key_runs(count_runs):
    assert count_runs(["a", 1]) == 1
    assert count_runs(["a", 1]) == 1
    assert count_runs(["a", 2]) == 2
    assert count_runs(["a", 1]) == 2


def test_a_training_runs_again_if_the_code_that_decides_it_changed(count_runs, monkeypatch):
    assert count_runs("a") == 1
    monkeypatch.setattr(cache, "CODE", cache.CODE[:-1])
    assert count_runs("a") == 2


def test_a_training_runs_again_if_a_bit_of_its_file_flipped(count_runs, tmp_path, capsys):
    count_runs("a")
    (kept,) = tmp_path.glob("*.result")
    whole = kept.read_bytes()
    for count, place in enumerate(range(0, len(whole), 7)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << count % 8
        kept.write_bytes(damaged)
        assert count_runs("a") == count + 2
        assert capsys.readouterr().out.count(f"{kept}: is damaged") == 1
        assert kept.read_bytes() == whole


@pytest.mark.parametrize("left", [b"", b"PK\x03\x04 cut short"])
def test_a_training_runs_again_if_its_file_is_broken(count_runs, tmp_path, left):
    count_runs("a")
    (kept,) = tmp_path.glob("*.result")
    kept.write_bytes(left)
    assert count_runs("a") == 2
    assert count_runs("a") == 2


def test_a_cached_result_has_the_same_bits_and_types(tmp_path):
    arrays = {
        "predicted": np.random.default_rng(0).random((3, 4)).T,
        "validation": np.array([[-0.0, 5e-324]]),
        "counts": np.arange(3),
        "none": np.zeros((0, 2)),
    }
    training = CachedTraining("one", "key", lambda: arrays)
    for _ in range(2):  # trained, then read
        (found,) = collect_results("curve", [training], tmp_path)
        assert set(found) == set(arrays)
        for name, array in arrays.items():
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
            assert found[name].tobytes() == array.tobytes()
