"""Real data through the whole pipeline: from lung nodules to adrenal glands.

    python -m benchmarks.real_data --data <folder> --workdir real > real.md

Clones the committed HEAD, writes the data as raw domains and runs `dvc repro` with a tenth of
the target's labels and with all of them; pretraining runs once. The whole pipeline runs at λ =
0.01, and finetune also at 0 and 0.1. All other parameters are those of params.yaml. λ = 0.01
was chosen in advance, and the test part decided nothing. Prints tables in Markdown. Takes about
half an hour on 2 cores. With --workdir the clone is kept, and the same command resumes after an
interruption.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.clone import head_commit, kept_clone, print_note, run_dvc
from benchmarks.lung_to_adrenal import (
    TARGET,
    VARIABLE,
    write_parameters,
    write_raw_domains,
)
from benchmarks.real_data_tables import result_tables
from graft.common.files import read_json, whole_file, write_json
from graft.config.parameters import load_parameters
from graft.console import run, say
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.networks.saved import load_model
from graft.statistics.cases import estimates, gain

CHOSEN = 0.01  # the λ whose pipeline is reported whole, chosen before any test part was read
LAMBDAS = (CHOSEN, 0.0, 0.1)
LABELLED = (0.1, 1.0)  # shares of the target's labels


def main(
    data: Annotated[Path, typer.Option(envvar=VARIABLE, help="The folder of the real data.")],
    workdir: Annotated[
        Path | None,
        typer.Option(help="The folder to keep the clone in, to resume after an interruption."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The JSON file for every number.")] = None,
) -> None:
    """Transfer from lung nodules to adrenal glands, for several λ and numbers of labels."""
    with kept_clone(workdir) as folder:
        write_raw_domains(data, folder / "data/raw")
        runs = list(run_pipelines(folder))
        commit = head_commit(folder)
    if out:
        with whole_file(out) as path:
            write_json(path, {"commit": commit, "runs": runs})
    for line in result_tables(runs, CHOSEN):
        say(line)


def run_pipelines(folder: Path) -> Iterator[dict]:
    """Run the pipeline for each share of labels, and only finetune for the other λ.

    DVC repeats only what these change.
    """
    for labelled in LABELLED:
        for weight in LAMBDAS:
            print_note(f"real_data: labelled {labelled:g}, lambda {weight:g}")
            write_parameters(folder / "params.yaml", labelled, weight)
            if weight == CHOSEN:
                run_dvc(folder, "repro")
                metrics = read_json(folder / "metrics/metrics.json")
            else:
                run_dvc(folder, "repro", "finetune@transfer")
                metrics = evaluate_finetuned(folder)
            yield {"labelled": labelled, "lambda": weight, "metrics": metrics}


def evaluate_finetuned(folder: Path) -> dict:
    """Return the scores of the fine-tuned network in the form of metrics.json.

    Cases, resamples and scores are those of `evaluate`.
    """
    parameters = load_parameters(folder / "params.yaml")
    settings = parameters.evaluate
    study = EvaluatedDomain.from_files(
        folder / "data/processed" / TARGET,
        folder / "data/splits" / f"{TARGET}.csv",
        settings.resamples,
        parameters.seed,
    )
    scores = {}
    for start in ("scratch", "transfer"):
        model = load_model(folder / "models/finetuned" / start)
        scores[start] = study.assess(model).parts["test"]
    transfer = estimates(scores["transfer"], settings.confidence)
    gained = gain(scores["transfer"], scores["scratch"], settings.confidence)
    return {
        "models": {"transfer": {"test": transfer}},
        "transfer_gain": {"transfer": {"test": gained}},
    }


if __name__ == "__main__":
    run(main)
