"""Does transfer help on real data, by the number of labels: lung nodules grafted onto adrenal glands, again and again.

    python -m benchmarks.evidence --data <folder> --workdir evidence > evidence.md

Clones the committed HEAD, lays the data out as `benchmarks.real_data` does and runs the whole chain, the report included,
with a learning curve of a tenth of the target's labels and of all of them, two draws each. All other parameters are
those of params.yaml. Prints a table in Markdown and the verdict. Takes about an hour on 2 cores; with
--workdir the clone is kept, with metrics/report.html in it, and the same command goes on where it stopped.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks import clone, real_data
from graft.common.files import read_json, whole_file, write_json
from graft.config.parameters import load_parameters
from graft.console import run, say
from graft.evaluation import summary
from graft.statistics.formatting import format_estimate

SHARES, DRAWS = [0.1], 2  # beside all labels


def main(*words: str) -> None:
    arguments = real_data.parse(words, "evidence", __doc__)
    real_data.there(arguments.data)
    with tempfile.TemporaryDirectory(prefix="graft-") as folder:
        folder = (arguments.workdir or Path(folder)).absolute() / "clone"
        folder.parent.mkdir(parents=True, exist_ok=True)
        clone.clone(folder)
        real_data.lay_out(arguments.data, folder / "data/raw")
        chosen = load_parameters(folder / "params.yaml").lambda_
        real_data.set_params(folder / "params.yaml", labelled=1.0, weight=chosen)
        ask(folder / "params.yaml")
        clone.dvc(folder, "repro")
        metrics = read_json(folder / "metrics/metrics.json")
    if arguments.out:
        with whole_file(arguments.out) as path:
            write_json(path, metrics)
    for line in (*table(metrics), "", *list(summary.summary_lines(metrics))[-1:]):
        say(line)


def ask(path: Path) -> None:
    """Ask params.yaml for the learning curve."""
    yaml = YAML()
    content = yaml.load(path)
    content["learning_curve"] = {"shares": SHARES, "draws": DRAWS}
    with whole_file(path) as partial:
        yaml.dump(content, partial)


def table(metrics: Mapping) -> Iterator[str]:
    """A row a share and arm, in Markdown."""
    yield "| labelled | arm | AUROC (95 % interval) | over the draws, sd | gain over scratch | p | verdict |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for point in metrics["learning_curve"]["points"]:
        for arm, found in point["arms"].items():
            gain = point["gain"].get(arm)
            more = (format_estimate(gain, "+"), f"{gain['p']:.3f}") if gain else ("", "")
            told = point["verdict"] if arm == "transfer" else ""
            cells = (
                f"{point['patients']:.0f}",
                arm,
                format_estimate(found["auroc"]),
                f"{found['draw_sd']:.3f}",
                *more,
                told,
            )
            yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    run(main)
