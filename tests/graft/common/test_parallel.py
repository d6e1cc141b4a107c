import ast
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from joblib.externals.loky import get_reusable_executor

from graft.common.files import InputError
from graft.common.parallel import count_workers, run_parallel
from tests import work

ROOT = Path(__file__).parents[3]
TWO = {"GRAFT_WORKERS": "2"}
PROCESSES = re.compile(r"(multiprocessing|subprocess|joblib|dask|distributed)\b|.*ProcessPoolExec")


@pytest.fixture(scope="module", autouse=True)
def two_workers() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFT_WORKERS", "2")
        yield
    get_reusable_executor().shutdown()


def test_two_processes_give_the_results_in_order_with_one_thread_each(capsys):
    finished = []
    found = run_parallel(work.describe, range(6), finished.append)
    assert [each["number"] for each in found] == list(range(6))
    processes = {each["process"] for each in found}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert all(each["threads"] == {1} for each in found)
    assert {each["folder"] for each in found} == {str(Path.cwd())}
    assert sorted(finished) == list(range(6))
    lines = capsys.readouterr().out.splitlines()
    expected = []
    for number in finished:
        expected += [f"number {number}", f"end of {number}"]
    assert lines == expected


def test_workers_follow_this_process_into_another_folder(tmp_path, monkeypatch):
    run_parallel(work.describe, range(2))  # workers that the next call could use again
    monkeypatch.chdir(tmp_path)
    found = run_parallel(work.describe, range(2))
    assert {each["folder"] for each in found} == {str(tmp_path)}


@pytest.mark.parametrize("scheduler", ["", "tcp://nobody:1"])
def test_sequential_work_runs_here(monkeypatch, scheduler):
    monkeypatch.setenv("GRAFT_SCHEDULER", scheduler)
    found = run_parallel(work.describe, range(2), sequential=True)
    assert {each["process"] for each in found} == {os.getpid()}
    assert all(each["threads"] == {1} for each in found)


def test_without_items_nothing_runs(monkeypatch):
    monkeypatch.setenv("GRAFT_SCHEDULER", "tcp://nobody:1")
    assert run_parallel(work.describe, []) == []


def test_an_error_of_a_worker_has_its_type_and_text():
    with pytest.raises(InputError, match="^scan 3: is empty, expected voxels$"):
        run_parallel(work.refuse_three, range(8))


def test_a_killed_worker_gives_one_message_and_the_next_run_works(capfd):
    with pytest.raises(InputError, match="a worker process was killed, .* run the same command"):
        run_parallel(work.kill_worker, [os.getpid()] * 4)
    assert len(run_parallel(work.describe, range(2))) == 2
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "²"])
def test_a_wrong_number_of_workers_is_refused(monkeypatch, value):
    monkeypatch.setenv("GRAFT_WORKERS", value)
    with pytest.raises(InputError, match="^GRAFT_WORKERS: got '.*', expected a whole number abov"):
        count_workers()


def test_the_number_of_workers_is_by_default_that_of_the_cores(monkeypatch):
    monkeypatch.delenv("GRAFT_WORKERS")
    assert 1 <= count_workers() <= len(os.sched_getaffinity(0))


def test_workers_end_with_a_killed_parent(tmp_path):
    line = (
        "import functools, pathlib; from graft.common.parallel import run_parallel; "
        "from tests import work; "
        f"run_parallel(functools.partial(work.wait, pathlib.Path({str(tmp_path)!r})), [1, 2])"
    )
    parent = subprocess.Popen([sys.executable, "-c", line], cwd=ROOT, env={**os.environ, **TWO})
    files = [tmp_path / "1", tmp_path / "2"]
    while not all(path.exists() and path.read_text() for path in files):
        assert parent.poll() is None
        time.sleep(0.05)
    workers = [psutil.Process(int(path.read_text())) for path in files]
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []


def imported_names(path: Path) -> Iterator[str]:
    """The full names of what a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_no_other_module_starts_processes():
    using = set()
    for package in ("graft", "stages"):
        for path in (ROOT / package).rglob("*.py"):
            if any(PROCESSES.match(name) for name in imported_names(path)):
                using.add(path.relative_to(ROOT).as_posix())
    assert using == {
        "graft/common/cluster.py",
        "graft/common/parallel.py",
        "graft/service/worker.py",
    }
