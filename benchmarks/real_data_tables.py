"""The results on real data as tables in Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.markdown import markdown_head, markdown_row
from graft.statistics.formatting import format_estimate

PUBLISHED = {  # AUROC at 28³ with all labels (Yang et al., MedMNIST v2, Scientific Data 10, 2023)
    "ResNet-18, 3D": 0.827,
    "ResNet-18, ACS": 0.839,
    "auto-sklearn": 0.828,
}


def result_tables(runs: Sequence[dict], chosen: float) -> Iterator[str]:
    """Yield the lines of the report.

    Args:
        runs: share of labels, λ and metrics of each run.
        chosen: the λ for which the whole pipeline ran.
    """
    by_share: dict[float, dict[float, dict]] = {}
    for run in runs:
        by_lambda = by_share.setdefault(run["labelled"], {})
        by_lambda[run["lambda"]] = run["metrics"]
    metrics = by_share[runs[0]["labelled"]][chosen]
    level = f"{metrics['bootstrap']['confidence'] * 100:g} %"
    yield from _source_table(metrics["source"], level)
    for share, by_lambda in by_share.items():
        yield from _target_table(by_lambda, chosen, share, level)
    yield (
        "\nThe adrenal file names no patients: each gland counts as one, so these intervals are "
        "somewhat too narrow."
    )


def _source_table(source: dict, level: str) -> Iterator[str]:
    counts = source["counts"]["test"]
    nodules = f"{counts['lesions']} nodules of {counts['patients']} patients"
    yield f"Source: lung nodules, the test part: {nodules} that were not trained on.\n"
    yield from markdown_head("", f"AUROC ({level} interval)", "gain over size alone", "p")
    pretrained = format_estimate(source["pretrained"]["test"]["auroc"])
    beyond = source["gain_over_size"]["test"]
    yield markdown_row("pretrained", pretrained, format_estimate(beyond, "+"), f"{beyond['p']:.3f}")
    size_alone = format_estimate(source["size_alone"]["test"]["auroc"])
    yield markdown_row("size alone", size_alone, "", "")


def _target_table(
    by_lambda: Mapping[float, dict], chosen: float, share: float, level: str
) -> Iterator[str]:
    metrics = by_lambda[chosen]
    counts = metrics["target"]["counts"]
    training = counts["train"]["lesions"]
    validation = counts["validation"]["lesions"]
    test = counts["test"]["lesions"]
    labels = f"{training} for training, {validation} for validation"
    yield (
        f"\nTarget: adrenal glands, the official test part of {test}; "
        f"{share * 100:g} % of the labels: {labels}.\n"
    )
    yield from markdown_head("", f"AUROC ({level} interval)", "gain over scratch", "p")
    scratch = metrics["models"]["scratch"]["test"]["auroc"]
    yield markdown_row("scratch", format_estimate(scratch), "", "")
    for weight in sorted(by_lambda):
        yield _model_row(f"transfer, λ = {weight:g}", by_lambda[weight], "transfer")
    for name in ("regularized", "bagging", "boosting"):
        yield _model_row(f"{name}, λ = {chosen:g}", metrics, name)
    size_alone = metrics["baselines"]["size_alone"]["test"]["auroc"]
    yield markdown_row("size alone", format_estimate(size_alone), "", "")
    if share == 1:
        for name, auroc in PUBLISHED.items():
            yield markdown_row(f"published: {name}", f"{auroc:.3f}", "", "")
    best = metrics["chosen"]
    verdict = f"Transfer at λ = {chosen:g}: {metrics['verdict']}."
    yield f"\n{verdict} Best by {best['by']}: {best['model']}."


def _model_row(title: str, metrics: dict, name: str) -> str:
    auroc = format_estimate(metrics["models"][name]["test"]["auroc"])
    gain = metrics["transfer_gain"][name]["test"]
    return markdown_row(title, auroc, format_estimate(gain, "+"), f"{gain['p']:.3f}")
