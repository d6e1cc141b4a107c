"""The metrics of a run as Prefect shows them."""

from flows.tables import comparison, metrics_table
from tests.flows.documents import document


def test_the_comparison_names_the_parameters_that_differ():
    text = comparison(document(pretrain={"lr": 0.01}), document())
    assert "`pretrain.lr` `0.003` → `0.01`" in text
    assert "lambda" not in text


def test_a_parameter_is_code_in_which_markdown_and_html_mean_nothing():
    text = comparison(document(pretrain={"source": "`<img onerror=x>`.pth"}), document())
    assert "→ `'<img onerror=x>'.pth`" in text


def test_the_comparison_shows_the_change_of_each_model():
    text = comparison(document(0.7), document(0.8))
    assert "| bagging | 0.800 | 0.700 | -0.100 |" in text


def test_the_first_run_has_nothing_to_be_compared_with():
    assert "No run was published here before." in comparison(document(), None)


def test_the_table_has_intervals():
    rows = {row["model"]: row for row in metrics_table(document()["metrics"])}
    assert rows["bagging"]["AUROC, test"] == "0.800 [0.700, 0.900]"
    assert rows["bagging"]["gain over scratch, test"] == "+0.200 [+0.100, +0.300]"
    assert rows["size alone"]["gain over scratch, test"] == ""


def test_a_model_that_was_not_made_has_no_row():
    names = [row["model"] for row in metrics_table(document()["metrics"])]
    assert names == ["scratch", "bagging", "size alone"]
