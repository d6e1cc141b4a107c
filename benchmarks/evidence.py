"""Does transfer help on real data, by the number of labels: lung nodules grafted onto adrenal glands, again and again.

    python -m benchmarks.evidence --data <folder> --workdir evidence > evidence.md

Clones the committed HEAD, lays the data out as `benchmarks.real_data` does and runs the stage `learning_curve` with a
tenth of the target's labels and with all of them, three draws each. All other parameters are those of params.yaml.
Prints a table in Markdown, then what the stage says. Takes about a quarter of an hour on 2 cores; with --workdir the
clone is kept, and the same command goes on where it stopped.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks import clone, real_data
from graft.console import run, say
from graft.files import read_json, whole_file, write_json
from graft.learning_curve import lines
from graft.repeats import shown

LAMBDA = 0.01  # chosen before any test part was read
SHARES, DRAWS = [0.1, 1.0], 3


def main(*words: str) -> None:
    arguments = real_data.parse(words, "evidence", __doc__)
    real_data.there(arguments.data)
    with tempfile.TemporaryDirectory(prefix="graft-") as folder:
        folder = (arguments.workdir or Path(folder)).absolute() / "clone"
        folder.parent.mkdir(parents=True, exist_ok=True)
        clone.clone(folder)
        real_data.lay_out(arguments.data, folder / "data/raw")
        real_data.set_params(folder / "params.yaml", labelled=1.0, weight=LAMBDA)
        ask(folder / "params.yaml")
        clone.dvc(folder, "repro", "learning_curve")
        block = read_json(folder / "metrics/learning_curve.json")
    if arguments.out:
        with whole_file(arguments.out) as path:
            write_json(path, block)
    for line in (*table(block), "", *lines(block)):
        say(line)


def ask(path: Path) -> None:
    """Ask params.yaml for the learning curve."""
    yaml = YAML()
    content = yaml.load(path)
    content["learning_curve"] = {"shares": SHARES, "draws": DRAWS}
    with whole_file(path) as partial:
        yaml.dump(content, partial)


def table(block: Mapping) -> Iterator[str]:
    """A row a share and arm, in Markdown."""
    yield "| labelled | arm | AUROC (95 % interval) | over the draws, sd | gain over scratch | p | verdict |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for point in block["learning_curve"]["points"]:
        for arm, found in point["arms"].items():
            gain = point["gain"].get(arm)
            more = (shown(gain, "+"), f"{gain['p']:.3f}") if gain else ("", "")
            told = point["verdict"] if arm == "transfer" else ""
            cells = (f"{point['patients']:.0f}", arm, shown(found["auroc"]), f"{found['draw_sd']:.3f}", *more, told)
            yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    run(main)
