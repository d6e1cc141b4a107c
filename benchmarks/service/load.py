"""How long requests take, several at a time, beside the bare model in one process."""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import run

import numpy as np

from benchmarks.service.known import Known
from benchmarks.service.served import Served

BARE = """
import json, sys, time
import psutil
from graft.prediction.predictor import load
predictor = load(sys.argv[1], "cpu")
requests = json.load(sys.stdin)
predictor.predict(requests[0][0], at=requests[0][1])
seconds = []
for scan, position in requests:
    began = time.perf_counter()
    predictor.predict(scan, at=position)
    seconds.append(time.perf_counter() - began)
json.dump([seconds, psutil.Process().memory_full_info().pss / 2**20], sys.stdout)
"""


@dataclass(frozen=True)
class Load:
    """Durations of requests in seconds, their total, and memory in MiB."""

    seconds: np.ndarray
    total: float
    memory: float

    def percentile(self, percent: float) -> float:
        """Milliseconds that so many percent of the requests take at most."""
        return 1000 * float(np.percentile(self.seconds, percent))


def measure_service(served: Served, known: Sequence[Known], count: int, at_once: int) -> Load:
    """Send good requests, and check their answers.

    Raises:
        RuntimeError: if an answer is wrong.
    """

    def send(number: int) -> float:
        good = known[number % len(known)]
        began = time.perf_counter()
        response = good.send(client)
        seconds = time.perf_counter() - began
        if not good.is_answered_by(response):
            raise RuntimeError(f"request {number}: {response.status_code} {response.text[:300]}")
        return seconds

    with served.client() as client, ThreadPoolExecutor(at_once) as threads:
        send(0)
        began = time.perf_counter()
        seconds = list(threads.map(send, range(count)))
        total = time.perf_counter() - began
    return Load(np.array(seconds), total, served.memory())


def measure_bare(model: Path, known: Sequence[Known], count: int) -> Load:
    """Predict for the same lesions one after the other, in a process without a server."""
    requests = []
    for number in range(count):
        good = known[number % len(known)]
        requests.append([str(good.scan), good.position])
    command = [sys.executable, "-c", BARE, str(model)]
    done = run(command, input=json.dumps(requests), capture_output=True, text=True, check=True)
    seconds, memory = json.loads(done.stdout)
    return Load(np.array(seconds), sum(seconds), memory)
