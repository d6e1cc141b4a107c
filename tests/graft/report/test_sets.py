"""Tables and sentences of conformal sets and refusals."""

from graft.report import sets


def test_a_failed_coverage_is_said_plainly_and_marked(read_run):
    evidence = read_run()
    [sentence] = sets.sentences(evidence)
    assert sentence.startswith(
        "At the external site coverage fails: the sets of benign lesions have the true class for 70"
    )
    benign, malignant, *_ = sets.coverage(evidence).rows
    assert [cell.mark for cell in benign[2:]] == ["", "bad"]
    assert [cell.mark for cell in malignant[2:]] == ["", ""]


def keep_coverage(metrics: dict) -> None:
    metrics["conformal"]["external"] = metrics["conformal"]["test"]


def test_coverage_that_fails_nowhere_is_said_too(read_run):
    sentences = list(sets.sentences(read_run(change=keep_coverage)))
    assert sentences == ["No interval of a coverage lies below 90\N{NO-BREAK SPACE}%."]


def drop_quantile(metrics: dict) -> None:
    keep_coverage(metrics)
    metrics["conformal"]["classes"]["malignant"] = {"cases": 5, "quantile": None}


def test_a_class_without_a_quantile_is_named(read_run):
    *_, sentence = sets.sentences(read_run(change=drop_quantile))
    assert sentence.startswith("With 5 cases of malignant there is no quantile")


def test_without_an_external_site_there_is_one_column(read_run):
    evidence = read_run(external=False)
    assert sets.refusals(evidence).columns == ["", "test"]
    assert [row[0] for row in sets.refusals(evidence).rows] == [
        "any check",
        "spacing",
        "intensities",
        "features",
    ]
    assert len(sets.coverage(evidence).columns) == 3
