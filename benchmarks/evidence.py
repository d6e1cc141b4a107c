"""Does transfer from lung nodules to adrenal glands help, by the number of labels?

    python -m benchmarks.evidence --data <folder> --workdir evidence > evidence.md

Clones the committed HEAD, writes the data as `benchmarks.real_data` does and runs the whole
pipeline, the report included, with a learning curve of a tenth of the target's labels and of all
of them, two draws each. All other parameters are those of params.yaml. Prints a table in Markdown
and the verdict. Takes about an hour on 2 cores. With --workdir the clone is kept, with
metrics/report.html in it, and the same command resumes after an interruption.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.clone import kept_clone, run_dvc
from benchmarks.lung_to_adrenal import VARIABLE, write_parameters, write_raw_domains
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.files import read_json, whole_file, write_json
from graft.config.parameters import load_parameters
from graft.console import run, say
from graft.evaluation import summary
from graft.statistics.formatting import format_estimate
from graft.statistics.verdict import number_of_labels

LEARNING_CURVE = {"shares": [0.1], "draws": 2}  # the share of all labels is always there


def main(
    data: Annotated[Path, typer.Option(envvar=VARIABLE, help="The folder of the real data.")],
    workdir: Annotated[
        Path | None,
        typer.Option(help="The folder to keep the clone in, to resume after an interruption."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The JSON file for metrics.json.")] = None,
) -> None:
    """Measure the transfer from lung nodules to adrenal glands by the number of labels."""
    with kept_clone(workdir) as folder:
        write_raw_domains(data, folder / "data/raw")
        path = folder / "params.yaml"
        weight = load_parameters(path).lambda_
        write_parameters(path, labelled=1.0, weight=weight, learning_curve=LEARNING_CURVE)
        run_dvc(folder, "repro")
        metrics = read_json(folder / "metrics/metrics.json")
    if out:
        with whole_file(out) as partial:
            write_json(partial, metrics)
    for line in learning_curve_table(metrics["learning_curve"]["points"]):
        say(line)
    verdict = list(summary.summary_lines(metrics))[-1]
    say(f"\n{verdict}")


def learning_curve_table(points: list[Mapping]) -> Iterator[str]:
    """Yield a table with a row per share of labels and arm."""
    yield from markdown_head(
        "labelled",
        "arm",
        "AUROC (95 % interval)",
        "over the draws, sd",
        "gain over scratch",
        "p",
        "verdict",
    )
    for point in points:
        for arm, found in point["arms"].items():
            gain = point["gain"].get(arm)
            yield markdown_row(
                f"{number_of_labels(point):.0f}",
                arm,
                format_estimate(found["auroc"]),
                f"{found['draw_sd']:.3f}",
                format_estimate(gain, "+") if gain else "",
                f"{gain['p']:.3f}" if gain else "",
                gain["verdict"] if gain else "",
            )


if __name__ == "__main__":
    run(main)
