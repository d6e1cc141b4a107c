import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.data import task
from graft.data.domain import Domain, write_domain
from graft.data.image_rows import ImageRows
from graft.data.task import NO_ROWS, make_task, take_samples

CPU = torch.device("cpu")
TRAIN, VALIDATION = np.array([1, 2, 3, 7, 9]), np.array([0, 4, 8])
NEEDED = 8 * 2 * 16  # bytes of the images of both parts


@pytest.fixture
def domain(tmp_path) -> Domain:
    """Ten planes in a file."""
    index = pd.DataFrame({"sample": range(10), "patient": "", "site": "", "split": "", "hash": ""})
    index = index.assign(label=["benign", "malignant"] * 5, origin="", size=1.0)
    images = np.random.default_rng(0).random((10, 1, 4, 4)).astype(np.float16)
    folder = Path(tmp_path / "liver")
    write_domain(folder, Domain("liver", images, index, ["benign", "malignant"], {}))
    return Domain.read(folder)


@pytest.mark.parametrize(
    ("memory", "free", "on_device"),
    [
        (0.5, 2 * NEEDED, True),
        (0.5, 2 * NEEDED - 2, False),
        (0.0, 2**40, False),  # always from the file
    ],
)
def test_images_are_on_the_device_if_the_share_of_its_memory_suffices(
    domain, monkeypatch, memory, free, on_device
):
    monkeypatch.setattr(task, "free_memory", lambda device: free)
    made = make_task(domain, TRAIN, VALIDATION, CPU, memory=memory)
    kind = torch.Tensor if on_device else ImageRows
    for samples, rows in ((made.train, TRAIN), (made.validation, VALIDATION)):
        assert isinstance(samples.images, kind)
        assert np.array_equal(samples.images[:], domain.images[rows])


def test_the_digest_is_that_of_images_and_labels_wherever_the_images_are(domain):
    samples = take_samples(domain, TRAIN, task.Encoding(), CPU)
    content = domain.images[TRAIN].tobytes() + np.array([1, 0, 1, 1, 1]).tobytes()
    expected = hashlib.sha256(content).hexdigest()
    assert samples.sha256() == expected
    assert samples.on_device().sha256() == expected


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_a_task_may_have_nothing_to_validate_on(domain, memory):
    made = make_task(domain, TRAIN, NO_ROWS, CPU, memory=memory)
    assert len(made.validation) == 0
    assert made.validation.images.shape == (0, 1, 4, 4)
    expected = {"domain": "liver", "train_sha256": made.train.sha256(), "validation_sha256": None}
    assert made.sha256() == expected
