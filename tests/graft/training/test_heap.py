import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource
import torch
from graft.training.heap import keep_freed_memory

def page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        tensors = [torch.ones(2**18) for _ in range(64)]  # of 1 MiB
        del tensors
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

page_faults()
print(page_faults())
keep_freed_memory()
page_faults()
print(page_faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is a function of the GNU C library")
def test_freed_tensors_are_used_again_without_new_pages():
    done = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS], capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert before > 1000
    assert after < 20
