"""The lines that a person reads after the evaluation, made from metrics.json alone."""

from collections.abc import Iterator, Mapping

from graft.common.shown import counted
from graft.common.vocabulary import TESTS
from graft.statistics.formatting import format_estimate
from graft.statistics.sentences import below_size_alone, labels_used

SUSPICIOUS_AUROC = 0.9  # of covariates alone: they may have been recorded after the diagnosis
WIDTHS = (15, 21, 21, 25, 6)
NOTHING = "–"
SENTENCES = {
    "helps": "Transfer helps",
    "harms": "Transfer harms",
    "no difference shown": "No difference shown between transfer and training from scratch",
    "not defined": "The effect of transfer is not defined: the test part lacks a class",
}


def summary_lines(metrics: dict) -> Iterator[str]:
    """Yield a table of models and baselines, the source's scores, and one sentence on transfer.

    If the chosen model is worse than lesion size, the first line says so.
    """
    if warning := below_size_alone(metrics):
        yield warning
    yield labels_used(metrics)
    bootstrap = metrics["bootstrap"]
    level = f"{bootstrap['confidence'] * 100:g} %"
    yield (
        f"{metrics['target']['name']}: AUROC with {level} intervals "
        f"from {bootstrap['resamples']} resamples of the {bootstrap['unit']}s"
    )
    if bootstrap["unit"] == "lesion":
        yield "its patients are unknown; if some have several lesions, the intervals are too narrow"
    yield from _target_table(metrics)
    if not any(metrics["boosting_alphas"]):
        yield "boosting: no member is better than chance, so it is the plain mean of its members"
    yield from _ablation(metrics)
    yield from _source_table(metrics["source"])
    yield f"best by {metrics['chosen']['by']}: {metrics['chosen']['model']}"
    yield from _flagged_groups(metrics["subgroups"])
    yield from _tests_of_transfer(metrics)
    yield _verdict(metrics, level)


def _target_table(metrics: dict) -> Iterator[str]:
    target = metrics["target"]
    yield _row("", *_headings(target), "gain over scratch, test", "p")
    for name, model in metrics["models"].items():
        yield _row(name, *_aurocs(model), *_test_gain(metrics["transfer_gain"].get(name)))
    for name, baseline in metrics["baselines"].items():
        if baseline:
            yield _row(_spaced(name), *_aurocs(baseline))


def _ablation(metrics: dict) -> Iterator[str]:
    """Yield what the covariates add, and a warning if they predict too well."""
    ablation = metrics["ablation"]
    if not ablation:
        return
    yield f"{metrics['chosen']['model']} with the image, the covariates and both:"
    for name in ("image_only", "covariates_only", "both"):
        yield _row(_spaced(name), *_aurocs(ablation[name]))
    yield _row("image adds", *_gains(ablation["gain_of_image"]))
    yield _row("covariates add", *_gains(ablation["gain_of_covariates"]))
    for part, scores in ablation["covariates_only"].items():
        auroc = scores and scores["auroc"]["value"]
        if auroc and auroc > SUSPICIOUS_AUROC:
            yield (
                f"The covariates alone have an AUROC of {auroc:.3f} on the {part} part: one of "
                "them almost determines the label. Is it known before the diagnosis?"
            )


def _source_table(source: dict) -> Iterator[str]:
    pretrained = source["pretrained"]
    if pretrained:
        yield f"{source['name']}, the source that the model was pretrained on:"
        yield _row("", *_headings(source), "gain over size, test", "p")
        yield _row("pretrained", *_aurocs(pretrained), *_test_gain(source["gain_over_size"]))
    else:
        yield f"no label of {source['name']} was used: the pretrained weights come without a head"
        yield _row("", *_headings(source))
    yield _row("size alone", *_aurocs(source["size_alone"]))


def _flagged_groups(subgroups: dict) -> Iterator[str]:
    """Yield the groups of patients on whom the chosen model differs from all others."""
    for row in subgroups["rows"]:
        if row["flagged"]:
            gap = row["gap"]
            yield (
                f"{subgroups['model']} on {row['by']} {row['group']} "
                f"({row['part']}, {_size(row)}): "
                f"AUROC differs from all others by {_difference(gap)}, "
                f"p = {gap['p_holm']:.4f} after Holm"
            )


def _tests_of_transfer(metrics: dict) -> Iterator[str]:
    """Yield the other tests of the saved pair of networks, and what the test part can show."""
    gain = metrics["transfer_gain"]["transfer"]["test"]
    if gain["p"] is None:
        return
    models = counted(len(metrics["transfer_gain"]), "model")
    line = f"transfer over scratch: p = {gain['p_holm']:.4f} corrected for {models}"
    if gain["delong"]["p"] is not None:
        line += f", p = {gain['delong']['p']:.4f} by DeLong's test"
    yield line
    if metrics["verdict"] == "no difference shown":
        non_inferior = metrics["verdict_from"]["non_inferior"]  # of the same gain as the verdict
        not_worse = "is no worse" if non_inferior else "may be worse"
        yield f"transfer {not_worse} than scratch by {metrics['margin']:g} or more"
        yield (
            f"a gain below {metrics['verdict_from']['detectable']:.3f} would probably not be shown "
            "by this test part"
        )
    if gain["patients_needed"]:
        counts = metrics["target"]["counts"]["test"]
        unit = metrics["bootstrap"]["unit"]
        present = counts["lesions"] if unit == "lesion" else counts["patients"]
        needed = counted(gain["patients_needed"], f"test {unit}")
        yield (
            f"about {needed} would be needed to distinguish "
            f"the gain of this pair of networks from 0; there are {present}"
        )


def _verdict(metrics: dict, level: str) -> str:
    sentence = SENTENCES[metrics["verdict"]]
    if metrics["verdict"] == "not defined":
        return f"{sentence}."
    gain = metrics["verdict_from"]
    trainings = gain["trainings"]
    mean = f", as a mean of {trainings} trainings," if trainings > 1 else ""
    return (
        f"{sentence}: its AUROC on the test part{mean} differs by {_difference(gain)} "
        f"({level}), p = {gain['p']:.4f}."
    )


def _headings(domain: dict) -> list[str]:
    """Return each test part with its lesions and patients."""
    headings = []
    for part in TESTS:
        count = domain["counts"][part]
        headings.append(f"{part} ({_size(count)})" if count else part)
    return headings


def _size(count: dict) -> str:
    """Return `62 of 41`, the lesions and patients, or `62` if the patients are unknown."""
    lesions, patients = count["lesions"], count["patients"]
    return f"{lesions}" if patients is None else f"{lesions} of {patients}"


def _aurocs(model: dict) -> list[str]:
    cells = []
    for part in TESTS:
        auroc = model[part] and model[part]["auroc"]
        cells.append(format_estimate(auroc, missing=NOTHING))
    return cells


def _gains(parts: dict) -> list[str]:
    return [_difference(parts[part]) for part in TESTS]


def _test_gain(parts: dict | None) -> tuple[str, str]:
    """Return the gain on the test part and its p-value; empty cells for the reference."""
    if parts is None or parts["test"] is None:
        return _difference(None), ""
    gain = parts["test"]
    p = NOTHING if gain["p"] is None else f"{gain['p']:.3f}"
    return _difference(gain), p


def _difference(estimate: Mapping[str, float | None] | None) -> str:
    return format_estimate(estimate, "+", missing=NOTHING)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _row(*cells: str) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=False)]
    return "  ".join(padded).rstrip()
