"""All benchmarks run one after the other, and one that fails does not keep the others from it."""

import sys
import time

import psutil
import pytest
import torch

from benchmarks import all as every
from benchmarks.all import BENCHMARKS, Benchmark, measure, measure_one, run_command
from benchmarks.comparison import COLLECTED_IN
from benchmarks.table import BEGIN, END
from graft.common.files import InputError

PROGRAM = f"""
import json, os, pathlib
comparison = dict(what="nothing", unit="s", graft=1, peer="something", of_peer=2)
comparison["note"] = os.environ.get("OMP_NUM_THREADS")
pathlib.Path(os.environ["{COLLECTED_IN}"]).write_text(json.dumps(comparison))
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Three benchmarks: one that works, one that ends with 3, and one that reports nothing."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "__init__.py").touch()  # Opacus installs a package of this name
    (folder / "working.py").write_text(PROGRAM)
    (folder / "failing.py").write_text(PROGRAM + "raise SystemExit(3)")
    (folder / "silent.py").write_text("")
    monkeypatch.setattr(every, "ROOT", tmp_path)
    return [Benchmark("failing"), Benchmark("silent"), Benchmark("working", one_thread=True)]


def test_a_failing_benchmark_gets_a_row_and_the_others_run(programs, tmp_path, capsys):
    document = tmp_path / "benchmarks.md"
    document.write_text(f"{BEGIN}\n{END}\n")
    failed = measure(programs, document, [program.name for program in programs])
    assert failed == ["failing", "silent"]
    text = document.read_text()
    assert "| failing | nothing | 1 s | something: 2 s | 2 |" in text
    assert "| failing |  |  |  |  |  | failed: it ended with 3, expected 0 | 1 |" in text
    assert "| silent |  |  |  |  |  | failed: it reported no comparison | 1 |" in text
    assert "| working | nothing | 1 s | something: 2 s | 2 |  | 1 | 1 |" in text
    assert "benchmark 3/3: working" in capsys.readouterr().out


def test_a_benchmark_without_its_variable_is_skipped(monkeypatch):
    monkeypatch.delenv("GRAFT_NO_SUCH_VARIABLE", raising=False)
    benchmark = Benchmark("silent", variable="GRAFT_NO_SUCH_VARIABLE")
    rows, failure = measure_one(benchmark, "Monday")
    assert failure == ""
    assert rows[0].cells[-1] == "not run: needs GRAFT_NO_SUCH_VARIABLE"


def test_a_benchmark_without_a_finished_run_is_skipped(monkeypatch, tmp_path):
    monkeypatch.setattr(every, "ROOT", tmp_path)
    rows, failure = measure_one(Benchmark("silent", needs_run=True), "Monday")
    assert failure == ""
    assert rows[0].cells[-1] == "not run: needs a finished run: metrics/metrics.json"


def test_a_benchmark_without_a_gpu_is_skipped(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows, failure = measure_one(Benchmark("silent", needs_gpu=True), "Monday")
    assert failure == ""
    assert rows[0].cells[-1] == "not run: needs a GPU"


def test_a_benchmark_that_takes_too_long_is_killed_with_its_children(tmp_path):
    child = tmp_path / "child"
    sleep = "import time; time.sleep(60)"
    program = (
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', '{sleep}'])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    began = time.monotonic()
    failure = run_command([sys.executable, "-c", program], {}, 2)
    assert failure == "failed: it did not end in 2 s"
    assert time.monotonic() - began < 30
    assert _ends_soon(int(child.read_text()))


def test_only_takes_known_names():
    with pytest.raises(InputError, match="--only: got 'nothing', expected one of preprocessing, "):
        every.main(["nothing"])


def test_every_benchmark_of_the_list_is_a_module():
    names = [benchmark.name for benchmark in BENCHMARKS]
    assert len(set(names)) == len(names)
    for name in names:
        module = every.ROOT / f"benchmarks/{name}.py"
        package = every.ROOT / f"benchmarks/{name}/__main__.py"
        assert module.exists() or package.exists(), name


def _ends_soon(pid: int) -> bool:
    """Whether a killed process is gone, or waits to be reaped, within ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
