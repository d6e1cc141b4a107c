"""The results of a sweep."""

import pandas as pd
import pytest

from flows.sweep_table import best_row, draw_sweep, model_rows, point_title


def model(loss: float, auroc: float) -> dict:
    estimate = {"value": auroc, "low": auroc - 0.1, "high": auroc + 0.1}
    return {"validation": {"log_loss": loss}, "test": {"auroc": estimate}, "external": None}


@pytest.fixture
def table() -> pd.DataFrame:
    rows = []
    for k, weight in enumerate([0.0, 0.1]):
        models = {"scratch": model(0.6, 0.6), "transfer": model(0.5 - weight, 0.7)}
        rows += model_rows({"lambda": weight}, f"exp-{k}", {"models": models})
    return pd.DataFrame(rows)


def test_there_is_a_row_per_point_and_model(table):
    assert list(table["model"]) == ["scratch", "transfer"] * 2
    assert list(table["lambda"]) == [0.0, 0.0, 0.1, 0.1]
    assert list(table["experiment"]) == ["exp-0", "exp-0", "exp-1", "exp-1"]
    assert table["test_auroc_low"][1] == pytest.approx(0.6)
    assert table["external_auroc_value"].isna().all()


def test_the_best_row_is_the_first_with_the_lowest_validation_loss():
    losses = pd.DataFrame(
        {"validation_log_loss": [0.5, 0.4, 0.4], "test_auroc_value": [0.9, 0.6, 0.8]}
    )
    assert best_row(losses) == 1


def test_the_plot_is_a_picture(table, tmp_path):
    draw_sweep(table, ["lambda"], tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("values", "title"),
    [({"lambda": 0.1}, "lambda 0.1"), ({"lambda": 1.0, "seed": 3}, "lambda 1, seed 3")],
)
def test_the_title_of_a_point_names_its_parameters(values, title):
    assert point_title(values) == title
