"""For how long should `regularize` and the ensembles continue the network of `finetune`?

    python -m benchmarks.continued
    python -m benchmarks.continued --from-source

Without a validation part nothing stops these trainings early, so their epochs are fixed. Draws 20
labelled patients of the target ten times, fine-tunes, continues for several numbers of epochs, and
predicts about 1,000 test patients, who influence nothing. Prints AUROC and log loss of each model
and the paired differences, with standard errors over the draws, and the training time. With
--from-source, the members of the ensembles are fine-tuned from the source instead.

The cohort and the draws are those of `benchmarks.strategies`, which makes them if they are not
there. Finished trainings are kept in --workdir. Takes about 15 minutes on one core.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.clone import ROOT, kept_clone
from benchmarks.continued_trainings import SOURCE, Arrays, Chain, run_chains
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.strategies import SEED, format_mean, make_cohort
from benchmarks.trials import auroc_of
from graft.console import run, say
from graft.training.ensemble import shares

CHAINS = (Chain(20, 15), Chain(10, 8), Chain(5, 4))  # the others are compared with the first
FEWER = 3  # members of a smaller ensemble: the first ones of the larger
FLOOR = 1e-7  # of a probability in a log loss


@dataclass(frozen=True)
class Scores:
    """Scores of a model over D draws: AUROC (D,), log loss (D,), and its own CPU seconds (D,)."""

    auroc: np.ndarray
    log_loss: np.ndarray
    seconds: np.ndarray


def main(
    patients: Annotated[int, typer.Option(help="Labelled patients of each draw.")] = 20,
    draws: Annotated[int, typer.Option(help="How often they are drawn.")] = 10,
    from_source: Annotated[
        bool, typer.Option("--from-source", help="Fine-tune the members from the source.")
    ] = False,
    workdir: Annotated[
        Path, typer.Option(help="The folder of the cohort and of the finished trainings.")
    ] = ROOT / ".graft/benchmarks/strategies",
    clone: Annotated[
        Path | None, typer.Option(help="A clone after `pretrain` to use instead of a new one.")
    ] = None,
) -> None:
    """Compare how long the later stages train, on draws of a few labelled patients."""
    if clone is None:
        with kept_clone(workdir) as folder:
            make_cohort(folder)
            clone = folder
    chains = (CHAINS[0], SOURCE) if from_source else CHAINS
    labels, results = run_chains(
        clone.absolute(), workdir.absolute(), chains, patients, draws, SEED
    )
    for line in table(chains, labels, results):
        say(line)


def table(
    chains: Sequence[Chain], labels: np.ndarray, results: Sequence[Sequence[Arrays]]
) -> Iterator[str]:
    """Yield a row for each model of each chain, compared with `transfer` and the first chain.

    Args:
        chains: in the order of `results`.
        labels: (N,) class codes of the test part.
        results: of each chain, one per draw, as `run_chains` returns them.
    """
    transfer = score(labels, [result["transfer"] for result in results[0]], np.zeros(1))
    longest = dict(models(labels, results[0]))
    columns = ("AUROC", "over `transfer`", f"over {chains[0].title}", "log loss")
    yield from markdown_head("", *columns, f"over {chains[0].title}", "CPU s")
    auroc, loss = format_mean(transfer.auroc), format_mean(transfer.log_loss)
    yield markdown_row("`transfer`", auroc, "", "", loss, "", "")
    for chain, of_draws in zip(chains, results, strict=True):
        for name, scores in models(labels, of_draws):
            paired = longest.get(name)
            differences = ["", ""]
            if paired is not None and chain != chains[0]:
                differences = [
                    format_mean(scores.auroc - paired.auroc, "+"),
                    format_mean(scores.log_loss - paired.log_loss, "+"),
                ]
            yield markdown_row(
                f"{name}, {chain.title}",
                format_mean(scores.auroc),
                format_mean(scores.auroc - transfer.auroc, "+"),
                differences[0],
                format_mean(scores.log_loss),
                differences[1],
                f"{np.median(scores.seconds):.1f}",
            )


def models(labels: np.ndarray, of_draws: Sequence[Arrays]) -> Iterator[tuple[str, Scores]]:
    """Yield the name and the scores of each model of a chain."""
    for name in ("regularized", "bagging", "boosting"):
        if name not in of_draws[0]:
            continue
        seconds = np.array([float(result[f"seconds.{name}"][0]) for result in of_draws])
        count = len(of_draws[0][name])
        for used in dict.fromkeys([count, min(FEWER, count)]):
            predicted = [combine(result, name, used) for result in of_draws]
            title = f"{name} of {used}" if count > 1 else name
            yield title, score(labels, predicted, seconds * used / count)


def combine(result: Arrays, name: str, used: int) -> np.ndarray:
    """Return the probabilities (N, C) of the first members of a model."""
    weights = [1 / used] * used
    if name == "boosting":
        weights = shares(result["alphas"][:used].tolist())
    return np.tensordot(weights, result[name][:used], 1)


def score(labels: np.ndarray, predicted: Sequence[np.ndarray], seconds: np.ndarray) -> Scores:
    """Score the probabilities (N, C) of each draw."""
    aurocs = [auroc_of(labels, each) for each in predicted]
    rows = np.arange(len(labels))
    losses = [-np.log(np.maximum(each[rows, labels], FLOOR)).mean() for each in predicted]
    return Scores(np.array(aurocs), np.array(losses), seconds)


if __name__ == "__main__":
    run(main)
