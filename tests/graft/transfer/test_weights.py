import os
import shutil
import zipfile
from functools import partial
from pathlib import Path

import huggingface_hub
import pytest
import torch
from monai.networks import nets
from safetensors.torch import save_file
from torchvision.models._api import Weights, WeightsEnum
from torchvision.transforms._presets import ImageClassification

from graft.common.files import InputError, sha256
from graft.networks.published import published_weights
from graft.transfer import weights

STATE = {"conv.weight": torch.arange(6.0).view(2, 3), "bn.num_batches_tracked": torch.tensor(3)}


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch) -> Path:
    """Empty caches, and no way to a network: the libraries' own loaders fail as they do offline."""
    nowhere = "http://127.0.0.1:9"  # the port of the discard service: nothing answers
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, nowhere)
        monkeypatch.setenv(name.upper(), nowhere)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    # The library reads both from the environment once, when it is imported. Online it would try
    # for half a minute.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def publish(folder: Path, state: dict[str, torch.Tensor] = STATE) -> type[WeightsEnum]:
    """An enum of weights like torchvision's, whose file has its digest in its name."""
    folder.mkdir()
    torch.save(state, folder / "draft.pth")
    file = (folder / "draft.pth").rename(
        folder / f"resnet18-{sha256(folder / 'draft.pth')[:8]}.pth"
    )

    class SmallWeights(WeightsEnum):
        V1 = Weights(file.as_uri(), partial(ImageClassification, crop_size=224), {})

    return SmallWeights


def error_of(message: str, call, *arguments) -> str:
    with pytest.raises(InputError, match=message) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_published_file_is_downloaded_once_into_the_cache_of_torch_hub(caches):
    url = publish(caches / "server").V1.url
    path = weights.from_torch_hub(url)
    assert path.parent == caches / "torch/hub/checkpoints"
    assert path.name == Path(url).name
    shutil.rmtree(caches / "server")
    assert weights.from_torch_hub(url) == path
    assert torch.equal(weights.read_weights(path)["conv.weight"], STATE["conv.weight"])


def test_a_download_with_another_digest_raises_an_error_and_leaves_nothing(caches):
    url = publish(caches / "server").V1.url
    file = caches / "server" / Path(url).name
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    error_of("cannot be downloaded .*invalid hash", weights.from_torch_hub, url)
    assert list((caches / "torch/hub/checkpoints").iterdir()) == []


def test_a_cached_file_that_was_damaged_later_raises_an_error(caches):
    url = publish(caches / "server").V1.url
    path = weights.from_torch_hub(url)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    error_of("is damaged or another file.*delete it", weights.from_torch_hub, url)


@pytest.mark.parametrize(
    ("source", "network", "file"),
    [
        ("imagenet", "torchvision-resnet18", "resnet18-f37072fd.pth"),
        ("imagenet", "torchvision-resnet34-planes", "resnet34-b627a593.pth"),
        ("imagenet", "torchvision-resnet50-inflated", "resnet50-0676ba61.pth"),
        ("kinetics", "video-r3d_18", "r3d_18-b3b3357e.pth"),
    ],
)
def test_offline_the_error_names_the_file_and_where_torch_hub_looks_for_it(
    caches, source, network, file
):
    found = error_of("cannot be downloaded", weights.find_weights, source, network)
    assert found.startswith(f"{file}: is not in {caches / 'torch/hub/checkpoints'} and")
    assert found.endswith("fetch it on another machine and put it there")


def test_other_weights_under_the_name_of_published_ones_raise_an_error(caches):
    folder = caches / "torch/hub/checkpoints"
    folder.mkdir(parents=True)
    torch.save(STATE, folder / "resnet18-f37072fd.pth")
    error_of("expected f37072fd", weights.find_weights, "imagenet", "torchvision-resnet18")


def write_hub(hub: Path, depth: int) -> Path:
    """Write a MedicalNet network with random weights into a cache; returns the blob."""
    folder = hub / f"models--TencentMedicalNet--MedicalNet-Resnet{depth}"
    for name in ("blobs", "refs", "snapshots/0123"):
        (folder / name).mkdir(parents=True)
    network = nets.resnet10(
        n_input_channels=1, feed_forward=False, shortcut_type="B", bias_downsample=False
    )
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": state}, folder / "draft")
    blob = (folder / "draft").rename(folder / "blobs" / sha256(folder / "draft"))
    (folder / "refs/main").write_text("0123")
    (folder / f"snapshots/0123/resnet_{depth}_23dataset.pth").symlink_to(blob)
    return blob


def test_medicalnet_is_read_from_the_cache_of_hugging_face_and_its_digest_compared(caches):
    blob = write_hub(caches / "hub", 10)
    found = weights.find_weights("medicalnet", "medicalnet-resnet10")
    assert found.title == "TencentMedicalNet/MedicalNet-Resnet10/resnet_10_23dataset.pth"
    assert found.about["sha256"] == blob.name
    assert found.tensors["conv1.weight"].shape == (
        64,
        1,
        7,
        7,
        7,
    )
    content = bytearray(blob.read_bytes())
    content[-1000] ^= 1
    blob.write_bytes(content)
    error_of(
        "resnet_10_23dataset.pth: is damaged",
        weights.find_weights,
        "medicalnet",
        "medicalnet-resnet10",
    )


def test_offline_the_error_names_the_file_and_folder_of_medicalnet(caches):
    found = error_of(
        "cannot be downloaded", weights.find_weights, "medicalnet", "medicalnet-resnet18"
    )
    assert found.startswith("resnet_18_23dataset.pth: is not in ")
    assert "set pretrain.source to the file" in found
    assert f"{caches}/hub/models--TencentMedicalNet--MedicalNet-Resnet18" in found


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("torchvision-resnet50-planes", "ResNet50_Weights.IMAGENET1K_V1"),
        ("video-r2plus1d_18", "R2Plus1D_18_Weights.KINETICS400_V1"),
    ],
)
def test_the_published_weights_of_a_network_are_those_of_its_library(network, expected):
    assert repr(published_weights(network)) == expected


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_a_file_of_the_user_is_read_and_named_on_the_card_without_its_folder(caches, suffix):
    path = caches / f"mine{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(STATE, path)
    found = weights.find_weights(str(path), "torchvision-resnet18")
    assert list(found.tensors) == ["conv.weight"]
    assert found.about == {"source": "file", "file": path.name, "sha256": sha256(path)}


def test_the_wrappers_of_a_state_dict_are_removed(caches):
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{name}": t for name, t in STATE.items()}},
        caches / "mine.pth",
    )
    assert list(weights.read_weights(caches / "mine.pth")) == ["conv.weight"]


class Harmful:
    def __reduce__(self) -> tuple:
        return os.system, ("touch harm",)


ENDLESS = torch.ones(1, 1).expand(10**6, 10**6)  # 4 bytes on disk


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Harmful(), r"code or objects \(posix.system\)"),
        ({"w": Harmful()}, r"code or objects \(posix.system\)"),
        ([1, 2], "contains a list, expected a .safetensors file or"),
        ({"epoch": 3}, "contains 'epoch' with a int, expected a .safetensors file or"),
        ({}, "contains no tensor"),
        ({"model": {"w": torch.ones(1)}}, "'model' with a dict"),
        ({1: torch.ones(1)}, "contains 1 with a Tensor"),
        ({"w": torch.tensor([1.0, torch.nan])}, "w has NaN or infinite"),
        ({"w": torch.tensor([1e300], dtype=torch.float64)}, "w has NaN or infinite"),
        ({"w": torch.ones(3, dtype=torch.int64)}, "w is torch.int64"),
        ({"w": torch.ones(3, dtype=torch.complex64)}, "w is torch.complex64"),
        ({"w": torch.eye(3).to_sparse()}, "w is torch.float32 .torch.sparse_coo"),
        ({"w": torch.empty(3, device="meta")}, "w is a tensor without values"),
        ({"w": ENDLESS}, "w claims 4,000,000,000,000 bytes"),
        ({"a\nb": torch.ones(1), "c": 1}, "contains 'c' with a int"),
    ],
)
def test_a_file_that_contains_something_else_raises_an_error(caches, monkeypatch, content, message):
    monkeypatch.chdir(caches)
    torch.save(content, "mine.pth")
    found = error_of(f"mine.pth: .*{message}", weights.read_weights, Path("mine.pth"))
    assert "weights_only" not in found
    assert not Path("harm").exists()


def test_a_file_that_would_inflate_is_refused_before_it_does(caches):
    torch.save({"w": torch.zeros(10**6)}, caches / "mine.pth")
    with (
        zipfile.ZipFile(caches / "mine.pth") as archive,
        zipfile.ZipFile(caches / "small.pth", "w", zipfile.ZIP_DEFLATED) as smaller,
    ):
        for name in archive.namelist():
            smaller.writestr(name, archive.read(name))
    found = error_of("its content claims 4,", weights.read_weights, caches / "small.pth")
    assert found.startswith("small.pth: ")


def test_a_script_of_torch_is_refused_without_advice_to_run_it(caches):
    torch.jit.script(torch.nn.ReLU()).save(caches / "mine.pt")
    found = error_of("mine.pt: ", weights.read_weights, caches / "mine.pt")
    assert "weights_only" not in found


def test_what_is_no_regular_file_is_refused_without_reading_it(caches):
    os.mkfifo(caches / "mine.pth")
    error_of(
        "is a pipe, a socket or a device, expected a file",
        weights.read_weights,
        caches / "mine.pth",
    )


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_cut_short_empty_or_missing_raises_an_error(caches, suffix):
    path = caches / f"mine{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(STATE, path)
    path.write_bytes(path.read_bytes()[:-100])
    error_of(f"mine{suffix}: ", weights.read_weights, path)
    path.write_bytes(b"")
    error_of(f"mine{suffix}: ", weights.read_weights, path)
    path.unlink()
    error_of("is missing, expected a file", weights.read_weights, path)
