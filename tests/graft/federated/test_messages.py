import pytest
import torch

from graft.common.files import InputError
from graft.federated.messages import Message, Trained, Validated, decode, encode, read_answer


def test_a_message_survives_its_bytes():
    tensors = {"w": torch.randn(3, 4), "b": torch.zeros(0)}
    found = decode(encode(Message("train", {"mu": 0.5, "names": ["ä"]}, tensors)))
    assert (found.kind, found.content) == ("train", {"mu": 0.5, "names": ["ä"]})
    assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"{}"],
        [b"{}", b""],
        [b"not json", encode(Message("train"))[1]],
        [b"[1]", encode(Message("train"))[1]],
        [b'{"kind": "train"}', encode(Message("train"))[1]],
        [encode(Message("train"))[0], b"cut"],
        [encode(Message("train"))[0], b"\xff" * 40],
    ],
)
def test_other_bytes_are_refused(parts):
    with pytest.raises(InputError, match="a message cannot be read"):
        decode(parts)


@pytest.mark.parametrize(
    ("model", "content", "place"),
    [
        (Trained, {"train_loss": float("nan"), "penalty": 0.0}, "train_loss"),
        (Trained, {"train_loss": 1.0}, "penalty"),
        (Validated, {"loss": 1.0, "weight": -1.0}, "weight"),
        (Validated, {"loss": 1.0, "weight": 1.0, "more": 1}, "more"),
    ],
)
def test_a_wrong_answer_names_the_site_and_the_value(model, content, place):
    with pytest.raises(InputError, match=f"site b: its answer to 'x' has a wrong value at {place}"):
        read_answer(model, Message("x", content), "b")
