from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.data.arrays import load_array
from graft.data.domain import COLUMNS, Domain
from graft.duplicates import features
from graft.duplicates.features import Features, describe_domain, describe_images
from graft.duplicates.fingerprints import fingerprint_images


def make_domain(shape: tuple[int, ...], seed: int = 0) -> Domain:
    images = np.random.default_rng(seed).random((12, 1, *shape)).astype(np.float16)
    index = pd.DataFrame(dict.fromkeys(COLUMNS, ""), index=range(len(images)))
    return Domain("lung", images, index.assign(hash=fingerprint_images(images)), ["a"], {})


def content(described: Features) -> dict[str, np.ndarray]:
    return {**described.described, **vars(described.keypoints)}


def assert_equal(one: Features, other: Features) -> None:
    expected = content(other)
    assert content(one).keys() == expected.keys()
    for name, array in content(one).items():
        assert array.dtype == expected[name].dtype, name
        assert np.array_equal(array, expected[name]), name


@pytest.mark.parametrize("shape", [(20, 20), (12, 10, 14)])
def test_images_are_described_alike_in_one_and_in_several_processes(shape, monkeypatch, tmp_path):
    domain = make_domain(shape)
    monkeypatch.setattr(features, "TOGETHER", 5)
    expected = describe_domain(domain)
    assert len(expected.keypoints.image)
    monkeypatch.setattr(features, "ALONE", 0)
    monkeypatch.setenv("GRAFT_WORKERS", "2")
    np.save(tmp_path / "images.npy", domain.images)
    images = load_array(tmp_path / "images.npy")
    assert_equal(describe_domain(replace(domain, images=images)), expected)
    part = replace(domain, images=images[3:], index=domain.index[3:])
    in_memory = replace(part, images=domain.images[3:].copy())
    assert_equal(describe_domain(part), describe_domain(in_memory))


def test_what_is_kept_is_read_again_until_the_images_change(tmp_path, monkeypatch):
    domain = make_domain((20, 20))
    expected = describe_domain(domain, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(features, "describe_images", None)  # so that nothing can be computed
        assert_equal(describe_domain(domain, tmp_path), expected)
        other = make_domain((20, 20), seed=1)
        with pytest.raises(TypeError):
            describe_domain(other, tmp_path)
    assert_equal(describe_domain(other, tmp_path), describe_images(other.images))
    assert len(list(tmp_path.iterdir())) == 1


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [damage, lambda path: path.write_bytes(path.read_bytes()[:99])])
def test_what_is_damaged_is_computed_again(tmp_path, spoil):
    domain = make_domain((20, 20))
    expected = describe_domain(domain, tmp_path)
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()
    spoil(path)
    assert_equal(describe_domain(domain, tmp_path), expected)
    assert path.read_bytes() == before


def test_features_of_some_images_are_those_of_them_alone():
    images = make_domain((20, 20)).images
    some = describe_images(images).of(np.array([7, 2, 5])).of(np.array([0, 2])).keypoints
    alone = describe_images(images[[7, 5]]).keypoints
    order = np.argsort(some.image, kind="stable")  # they stay in the order of the domain
    assert np.array_equal(some.image[order], alone.image)
    assert np.array_equal(some.position[order], alone.position)
    assert np.allclose(some.descriptor[order], alone.descriptor, atol=1e-5)
