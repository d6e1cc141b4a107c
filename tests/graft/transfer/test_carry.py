import pytest
import torch

from graft.common.files import InputError
from graft.networks.build import build_network
from graft.transfer.carry import carry

SHAPE = {"patch": (8, 8), "channels": 1, "width": 8}


def test_the_body_is_copied_and_a_new_head_keeps_its_random_weights():
    source, target = (
        build_network("resnet", **SHAPE, classes=2, seed=1),
        build_network("resnet", **SHAPE, classes=3, seed=2),
    )
    head = target.head.weight.clone()
    carried = carry(source.saved_tensors(), target, head="new")
    assert torch.equal(source.body.stem.weight, target.body.stem.weight) and torch.equal(
        target.head.weight, head
    )
    assert carried.new == carried.left == ["head.bias", "head.weight"]
    assert set(carried.loaded) | set(carried.new) == set(target.saved_tensors())
    assert "17 tensors loaded, 2 new (head.bias, head.weight), 2 left" in str(carried)


def test_a_pretrained_head_is_copied_too():
    source, target = (build_network("resnet", **SHAPE, classes=2, seed=seed) for seed in (1, 2))
    assert carry(source.saved_tensors(), target, head="pretrained").new == []
    assert torch.equal(source.head.weight, target.head.weight)


def test_changing_the_target_does_not_change_the_source():
    source, target = (build_network("resnet", **SHAPE, classes=2, seed=seed) for seed in (1, 2))
    carry(source.saved_tensors(), target, head="new")
    with torch.no_grad():
        target.body.stem.weight.zero_()
    assert source.body.stem.weight.abs().sum() > 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("stem.weight"), "stem.weight (missing) for (8, 1, 5, 5)"),
        (
            lambda state: state.update({"stem.weight": torch.zeros(4, 1, 5, 5)}),
            "stem.weight (4, 1, 5, 5) for",
        ),
        (
            lambda state: state.update({"module.stem.weight": state.pop("stem.weight")}),
            "2 of 17 tensors do not fit",
        ),
    ],
)
def test_a_mismatch_that_would_train_from_scratch_is_an_error(change, told):
    state = build_network("resnet", **SHAPE, classes=2, seed=1).saved_tensors()
    change(state)
    with pytest.raises(InputError) as caught:
        carry(state, build_network("resnet", **SHAPE, classes=2, seed=2), head="new")
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_pretrained_head_for_other_classes_says_what_to_change():
    source, target = (
        build_network("resnet", **SHAPE, classes=2, seed=1),
        build_network("resnet", **SHAPE, classes=3, seed=2),
    )
    with pytest.raises(InputError, match="finetune.head: new"):
        carry(source.saved_tensors(), target, head="pretrained")
