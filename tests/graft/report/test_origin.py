"""Parameters as text, and the model card."""

import pytest

from graft.report.card import model_card
from graft.report.origin import parameter_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("/home/ada/ct", "…/ct"),
        (r"C:\data\ct", "…/ct"),
        ("data/raw/ct", "data/raw/ct"),
        (["/a/b", 1], "…/b, 1"),
        (None, "none"),
        ({}, "none"),
        (True, "yes"),
        (0.10, "0.1"),
    ],
)
def test_parameters_do_not_show_folders_of_the_machine(value, text):
    assert parameter_text(value) == text


def test_the_model_card_names_data_scores_and_limits(read_run):
    card = model_card(read_run())
    assert card["Training data"] == [
        "65 lesions of 42 patients of liver, after training on 65 lesions of lung."
    ]
    assert card["Evaluation data"][0] == "The test part: 62 lesions of 41 patients."
    assert card["Metrics"][0].startswith("AUROC 0.805 on the test part.")
    assert (
        card["Limits"][-1] == "The patients are simulated, so no result applies to real patients."
    )
