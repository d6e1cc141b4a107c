import pytest
import torch

from graft.common.files import InputError
from graft.networks.build import build_network
from graft.networks.classifier import Classifier
from graft.transfer.carry import carry

SHAPE = {"patch": (8, 8), "channels": 1, "width": 8}


def make_network(classes: int, seed: int) -> Classifier:
    return build_network("resnet", **SHAPE, classes=classes, seed=seed)


def test_the_body_is_copied_and_a_new_head_keeps_its_random_weights():
    source = make_network(classes=2, seed=1)
    target = make_network(classes=3, seed=2)
    head = target.head.weight.clone()
    carried = carry(source.saved_tensors(), target, head="new")
    assert torch.equal(source.body.stem.weight, target.body.stem.weight)
    assert torch.equal(target.head.weight, head)
    assert carried.new == ["head.bias", "head.weight"]
    assert carried.left == ["head.bias", "head.weight"]
    assert set(carried.loaded) | set(carried.new) == set(target.saved_tensors())
    assert "17 tensors loaded, 2 new (head.bias, head.weight), 2 left" in str(carried)


def test_a_pretrained_head_is_copied_too():
    source = make_network(classes=2, seed=1)
    target = make_network(classes=2, seed=2)
    carried = carry(source.saved_tensors(), target, head="pretrained")
    assert carried.new == []
    assert torch.equal(source.head.weight, target.head.weight)


def test_changing_the_target_does_not_change_the_source():
    source = make_network(classes=2, seed=1)
    target = make_network(classes=2, seed=2)
    carry(source.saved_tensors(), target, head="new")
    with torch.no_grad():
        target.body.stem.weight.zero_()
    assert source.body.stem.weight.abs().sum() > 0


def remove_stem(tensors: dict) -> None:
    del tensors["stem.weight"]


def resize_stem(tensors: dict) -> None:
    tensors["stem.weight"] = torch.zeros(4, 1, 5, 5)


def rename_stem(tensors: dict) -> None:
    tensors["module.stem.weight"] = tensors.pop("stem.weight")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_stem, "stem.weight (missing) for (8, 1, 5, 5)"),
        (resize_stem, "stem.weight (4, 1, 5, 5) for"),
        (rename_stem, "2 of 18 tensors do not fit"),
    ],
)
def test_tensors_that_do_not_fit_raise_an_error_instead_of_training_from_scratch(change, message):
    tensors = make_network(classes=2, seed=1).saved_tensors()
    change(tensors)
    target = make_network(classes=2, seed=2)
    with pytest.raises(InputError) as caught:
        carry(tensors, target, head="new")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pretrained_head_for_other_classes_raises_an_error_that_names_the_parameter():
    source = make_network(classes=2, seed=1)
    target = make_network(classes=3, seed=2)
    with pytest.raises(InputError, match="finetune.head: auto"):
        carry(source.saved_tensors(), target, head="pretrained")


def test_no_more_tensors_are_counted_as_unfit_than_there_are():
    source = make_network(classes=2, seed=1).saved_tensors()
    renamed = {f"model.{name}": tensor for name, tensor in source.items()}
    with pytest.raises(InputError, match="36 of 36 tensors do not fit"):
        carry(renamed, make_network(classes=2, seed=2), head="new")
