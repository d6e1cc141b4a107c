import pytest

from graft.common.files import InputError
from graft.networks.card import CARD, has_model, write_no_model


def test_a_folder_without_a_model_says_so_in_the_same_bytes(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        write_no_model(folder, "self_supervise.epochs is 0.")
        assert not has_model(folder)
    written = [[path.read_bytes() for path in folder.iterdir()] for folder in folders]
    assert written[0] == written[1]


def test_a_folder_has_a_model_if_it_has_a_card(tmp_path):
    assert not has_model(tmp_path / "missing")
    with pytest.raises(InputError, match="has neither card.json nor no_model.txt"):
        has_model(tmp_path)
    (tmp_path / CARD).write_text("{}")
    assert has_model(tmp_path)
    write_no_model(tmp_path, "Off.")
    assert not has_model(tmp_path)
