import numpy as np
import pandas as pd
import pytest
import torch

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.selfsupervised.images import JoinedImages, take_images

CPU = torch.device("cpu")
FIRST = np.random.default_rng(1).random((6, 1, 4, 4)).astype(np.float16)
SECOND = np.random.default_rng(2).random((5, 1, 4, 4)).astype(np.float16)


def domain(name: str, images: np.ndarray) -> Domain:
    patients = [f"{name}-{row}" for row in range(len(images))]
    return Domain(name, images, pd.DataFrame({"patient": patients}), ["a", "b"], {})


def joined() -> tuple[JoinedImages, np.ndarray]:
    """Images of two domains, in an order of their own, and what they should be."""
    rows = np.array([4, 0, 2]), np.array([3, 1])
    several = [ImageRows(FIRST, rows[0]), ImageRows(SECOND, rows[1])]
    return JoinedImages(several), np.concatenate([FIRST[rows[0]], SECOND[rows[1]]])


@pytest.mark.parametrize(
    "chosen", [slice(0, 5), slice(2, 4), slice(0, 0), torch.tensor([4, 0, 3, 0]), np.array([2])]
)
def test_images_of_all_domains_are_read_by_their_numbers(chosen):
    images, expected = joined()
    assert np.array_equal(images[chosen], expected[np.asarray(np.arange(5)[chosen])])


def test_they_have_the_shape_size_and_blocks_of_all_of_them():
    images, expected = joined()
    assert len(images) == 5
    assert images.shape == expected.shape
    assert images.nbytes == expected.nbytes
    assert np.array_equal(np.concatenate(list(images.blocks())), expected)


def test_images_of_two_shapes_are_refused():
    other = ImageRows(np.zeros((2, 1, 5, 4), np.float16), np.arange(2))
    with pytest.raises(InputError, match=r"domains: the images have the shapes \(1, 4, 4\) and"):
        JoinedImages([ImageRows(FIRST, np.arange(6)), other])


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_samples_have_no_labels_and_are_in_memory_only_if_they_may_be(memory):
    seen = [(domain("lung", FIRST), np.array([1, 5])), (domain("liver", SECOND), np.array([0]))]
    samples = take_images(seen, CPU, memory)
    assert isinstance(samples.images, torch.Tensor) == (memory > 0)
    assert samples.labels.tolist() == [0, 0, 0]
    assert samples.patients.tolist() == ["lung-1", "lung-5", "liver-0"]
    assert samples.sha256() == take_images(seen, CPU, 0.5 - memory).sha256()
