import pytest
import torch

from graft.common.files import InputError
from graft.federated.average import check_tensors, weighted_mean
from graft.federated.local import pooled_class_weights

ONE = {"w": torch.tensor([1.0, 2.0]), "b": torch.tensor([0.0])}
OTHER = {"w": torch.tensor([4.0, -1.0]), "b": torch.tensor([3.0])}


def test_the_mean_is_weighted_by_the_lesions():
    mean = weighted_mean({"a": ONE, "b": OTHER}, {"a": 2, "b": 1})
    assert mean["w"].tolist() == [2.0, 1.0]
    assert mean["b"].tolist() == [1.0]
    assert mean["w"].dtype == torch.float32


def test_the_order_of_the_answers_changes_no_byte():
    sites = {name: {"w": torch.randn(999)} for name in "abcdefg"}
    weights = {name: 3 * k + 1 for k, name in enumerate(sites)}
    backwards = dict(reversed(sites.items()))
    assert torch.equal(weighted_mean(sites, weights)["w"], weighted_mean(backwards, weights)["w"])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({**ONE, "w": torch.tensor([1.0, torch.nan])}, "of round 3 have NaN or infinity in w"),
        ({**ONE, "w": torch.tensor([1.0, torch.inf])}, "of round 3 have NaN or infinity in w"),
        ({**ONE, "w": torch.zeros(3)}, r"of round 3 have w \(3,\), expected \(2,\)"),
        ({**ONE, "w": torch.zeros(2).double()}, "of round 3 have w"),
        ({"w": ONE["w"]}, "of round 3 lack or add 'b'"),
        ({**ONE, "v": ONE["w"]}, "of round 3 lack or add 'v'"),
    ],
)
def test_parameters_that_do_not_fit_name_the_site(tensors, message):
    with pytest.raises(InputError, match=f"site b: its parameters {message}"):
        check_tensors("b", tensors, ONE, 3)


def test_class_weights_are_those_of_all_sites():
    # 40 lesions, 2 classes: 40 / (2·10) and 40 / (2·30).
    assert pooled_class_weights([10, 30], "balanced").tolist() == pytest.approx([2.0, 2 / 3])
    assert pooled_class_weights([0, 30], "balanced")[1] == 0.5
    assert pooled_class_weights([10, 30], "none").tolist() == [1.0, 1.0]
