"""What `graft adapt` gains at a site, by the number of local labels.

    dvc repro
    python -m benchmarks.adaptation [--data <folder>] [--draws 20] [--workdir adaptation]

Each draw has about 60 scans of a site, of which 0, 10, 20 or 50 are labelled. The model is adapted
to them, and scored on all other patients of the site: its log loss before minus that after. Beside
it stands a network that is trained from scratch on the same labels alone. The sites are the
external one of the phantom, its own sites (where nothing is to be gained), these with few malignant
lesions, and, with --data, LIDC nodules in thick slices for a model of thin slices. Prints tables in
Markdown. Takes about 20 minutes on one core, mostly from scratch, and resumes in --workdir.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from benchmarks.adaptation_sites import (
    FEW_MALIGNANT,
    OWN,
    Pool,
    draw_lesions,
    lidc_pool,
    phantom_pools,
)
from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.lung_to_adrenal import VARIABLE
from benchmarks.markdown import markdown_head, markdown_row
from graft.adaptation.adapt import adapt
from graft.adaptation.fits import NONE, PRIOR, Fitter
from graft.common.seeds import derive
from graft.config.parameters import load_parameters
from graft.console import run, say
from graft.data.task import NO_ROWS, make_task
from graft.networks.device import use_deterministic_algorithms
from graft.networks.saved import Model
from graft.statistics.scores import LEAST_PROBABILITY
from graft.training.plan import Plan
from graft.transfer.start import fit_start, start_from_scratch

SIZES = (0, 10, 20, 50)
SCANS = 60
KEY = ["pool", "draw", "labels"]

Once = Callable[[Fitter, Pool, np.ndarray, np.ndarray], dict]


def main(
    finished: Annotated[
        Path, typer.Option("--run", help="The folder of a finished run on the phantom.")
    ] = ROOT,
    data: Annotated[
        Path | None, typer.Option(envvar=VARIABLE, help="The folder of the real data.")
    ] = None,
    draws: Annotated[int, typer.Option(min=2, help="Draws of scans.")] = 20,
    patients: Annotated[int, typer.Option(min=500, help="Unseen patients of the phantom.")] = 900,
    scratch: Annotated[bool, typer.Option(help="Train from scratch too.")] = True,
    workdir: Annotated[
        Path, typer.Option(help="The folder of cohorts and of finished draws.")
    ] = ROOT / ".graft/benchmarks/adaptation",
) -> None:
    """Adapt models to sites with few labels, and compare with training from scratch there."""
    use_deterministic_algorithms()
    workdir = workdir.absolute()
    pools = phantom_pools(finished, patients, workdir)
    if data is not None:
        pools.append(lidc_pool(data, workdir))
    tables = []
    for pool in pools:
        rows = _resumed(workdir / "adapted.csv", pool, draws, SIZES, adapt_once)
        if scratch and pool.name not in (OWN, FEW_MALIGNANT):
            sizes = tuple(size for size in SIZES if size)
            trained = _resumed(workdir / "scratch.csv", pool, draws, sizes, train_once)
            rows = rows.merge(trained, on=KEY, how="left")
        tables.append(rows)
    for pool, rows in zip(pools, tables, strict=True):
        _print(pool, rows, draws)
        report_gain(pool, rows)
    _print_prior(pools, tables)


def _resumed(
    path: Path, pool: Pool, draws: int, sizes: tuple[int, ...], once: Once
) -> pd.DataFrame:
    """Do each draw that the table lacks, and add it to the table at once."""
    done = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=KEY)
    fitter = Fitter.of(pool.predictor, pool.site)
    for draw in range(draws):
        seen, labelled = draw_lesions(pool, SCANS, SIZES, draw)
        for size in sizes:
            key = (pool.name, draw, size)
            if key in set(done[KEY].itertuples(index=False, name=None)):
                continue
            row = {**dict(zip(KEY, key, strict=True)), **once(fitter, pool, seen, labelled[size])}
            done = pd.concat([done, pd.DataFrame([row])], ignore_index=True)
            done.to_csv(path, index=False)
    is_wanted = (done["pool"] == pool.name) & (done["draw"] < draws)
    return done[is_wanted & done["labels"].isin(sizes)]


def adapt_once(fitter: Fitter, pool: Pool, seen: np.ndarray, labelled: np.ndarray) -> dict:
    """Adapt to one draw, and score the model on the other patients before and after."""
    result = adapt(pool.predictor, pool.take(seen, labelled), seed=0, sizes=())
    method = result.document["chosen"]
    rows = _others(pool, seen)
    before = log_loss(fitter.fit(NONE, seen[:0], seen).calibrated, pool, rows)
    after = log_loss(fitter.fit(method, labelled, seen).calibrated, pool, rows)
    recommended = result.document["recommended"]
    by_prior = log_loss(fitter.fit(PRIOR, seen[:0], seen).calibrated, pool, rows)
    return {
        "by_prior": by_prior,
        "prior": result.document["prior"]["new"],
        "is_new": result.document["prior"]["distinguishable"],
        "method": method,
        "recommended": recommended,
        "before": before,
        "adapted": after,
        "written": after if recommended else before,
    }


def train_once(fitter: Fitter, pool: Pool, seen: np.ndarray, labelled: np.ndarray) -> dict:
    """Train from scratch on the labels of a draw alone, with the parameters of params.yaml."""
    parameters = load_parameters(ROOT / "params.yaml")
    device = torch.device("cpu")
    task = make_task(pool.domain, pool.rows[labelled], NO_ROWS, device, memory=0.5)
    seed = derive(0, "adaptation", "scratch", len(labelled), int(labelled.sum()))
    start = start_from_scratch(parameters.network, task, seed, device)
    with TemporaryDirectory() as checkpoints:
        plan = Plan(
            recipe=parameters.finetune,
            training=parameters.training,
            augment=parameters.augment,
            seed=seed,
            purpose="adaptation-scratch",
            checkpoints=Path(checkpoints),
        )
        fit_start(start, task, plan, show=False)
    card = {**pool.predictor.model.card, "shares": [1.0], "architecture": start.architecture}
    rows = _others(pool, seen)
    images = np.stack([pool.site.inputs[row].image for row in rows])
    predicted = Model(card, [start.network.eval()]).predict(images)
    labels = pool.site.labels[rows]
    return {"scratch": _mean_loss(predicted, labels)}


def _others(pool: Pool, seen: np.ndarray) -> np.ndarray:
    return np.flatnonzero(~np.isin(pool.site.patients, pool.site.patients[seen]))


def log_loss(calibrated: np.ndarray, pool: Pool, rows: np.ndarray) -> float:
    """The log loss of some lesions."""
    return _mean_loss(calibrated[rows], pool.site.labels[rows])


def _mean_loss(predicted: np.ndarray, labels: np.ndarray) -> float:
    true_class = predicted[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(true_class, LEAST_PROBABILITY)).mean())


def _print(pool: Pool, rows: pd.DataFrame, draws: int) -> None:
    """Print a table: gains over the model that is not adapted, by the number of labels."""
    lesions = len(pool.site)
    say(f"\n{pool.name}: {lesions} lesions, {draws} draws; log loss {rows['before'].mean():.3f}\n")
    columns = ("labels", "gain of the chosen method", "gain as recommended", "recommended")
    for line in markdown_head(*columns, "methods", "from scratch"):
        say(line)
    for size, found in rows.groupby("labels"):
        methods = found["method"].value_counts()
        chosen = ", ".join(f"{name} {count}" for name, count in methods.items())
        from_scratch = "–"
        if "scratch" in found and found["scratch"].notna().any():
            from_scratch = spread((found["before"] - found["scratch"]).dropna())
        say(
            markdown_row(
                str(size),
                spread(found["before"] - found["adapted"]),
                spread(found["before"] - found["written"]),
                f"{found['recommended'].astype(bool).mean():.0%}",
                chosen,
                from_scratch,
            )
        )


def _print_prior(pools: Sequence[Pool], tables: Sequence[pd.DataFrame]) -> None:
    """Print what the prior would gain without labels, whether or not it can be told."""
    say("\nThe prior from 60 scans without labels, which `graft adapt` reports and does not use:\n")
    for line in markdown_head("site", "share", "estimate", "told from the old one", "gain"):
        say(line)
    for pool, rows in zip(pools, tables, strict=True):
        found = rows[rows["labels"] == 0]
        gained = spread(found["adapted"] - found["by_prior"])
        told = f"{found['is_new'].astype(bool).mean():.0%}"
        share = f"{pool.site.labels.mean():.2f}"
        say(markdown_row(pool.name, share, f"{found['prior'].mean():.2f}", told, gained))


def spread(values: pd.Series) -> str:
    """A mean over draws, with its standard error."""
    return f"{values.mean():+.3f} ± {values.std() / np.sqrt(len(values)):.3f}"


def report_gain(pool: Pool, rows: pd.DataFrame) -> None:
    """Report the log loss with the most labels, beside that of the model without adaptation."""
    found = rows[rows["labels"] == max(SIZES)]
    report(
        Comparison(
            what=f"log loss at the {pool.name}, adapted with {max(SIZES)} labels as recommended",
            unit="",
            graft=round(float(found["written"].mean()), 4),
            peer="the model without adaptation",
            of_peer=round(float(found["before"].mean()), 4),
        )
    )


if __name__ == "__main__":
    run(main)
