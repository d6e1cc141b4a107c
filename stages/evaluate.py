"""Evaluate: every model on the test part and the external site, with intervals, and what transfer gained."""

import shutil
from pathlib import Path

import pandas as pd

from graft.common.files import read_json, whole_file, whole_folder, write_json
from graft.config import load_model
from graft.console import run, say
from graft.evaluation import audit
from graft.evaluation.metrics import COVARIATES, assemble, choose, headline
from graft.evaluation.study import Study
from graft.evaluation.summary import lines
from graft.evaluation.tables import plots, predictions
from graft.evaluation.tuning import tune
from graft.networks.saved import load_model, pick_device

METRICS = Path("metrics")
PRETRAINED, BEST = Path("models/pretrained"), Path("models/best")
MODELS = {
    "scratch": Path("models/finetuned/scratch"),
    "transfer": Path("models/finetuned/transfer"),
    "regularized": Path("models/regularized"),
    "bagging": Path("models/ensemble/bagging"),
    "boosting": Path("models/ensemble/boosting"),
}
PARENTS = {
    "scratch": None,
    "transfer": PRETRAINED,
    "regularized": MODELS["transfer"],
    "bagging": MODELS["regularized"],
    "boosting": MODELS["regularized"],
}


def main() -> None:
    seed, source_name, target_name, settings, device_name = load_model.read(
        "seed", "source", "target", "evaluate", "training.device"
    )
    device = pick_device(device_name)
    source, target = (
        Study.read(processed(name), split(name), settings.resamples, seed)
        for name in (source_name, target_name)
    )
    trained = {"pretrained": audit.Trained(PRETRAINED, None, source.domain, source.rows)}
    trained |= {
        name: audit.Trained(MODELS[name], PARENTS[name], target.domain, target.rows)
        for name in MODELS
    }
    checks = read_json(METRICS / "checks.json").get("checks", []) + audit.trained(trained)
    first = load_model(PRETRAINED, device)
    pretrained = None if "weights" in first.card else source.assess(first)
    models = {name: target.assess(load_model(folder, device)) for name, folder in MODELS.items()}
    baselines = {"majority": target.assess_majority(), "size_alone": target.assess_size_alone()}
    withheld = None
    if known := target.assess_covariates_only():
        baselines[COVARIATES] = known
        withheld = target.assess(load_model(MODELS[choose(models)], device), withhold=True)
    judged = models | baselines
    tuned = {name: tune(model, target.cases, settings) for name, model in judged.items()}
    checks += [
        audit.thresholds(target.domain, target.rows, judged),
        audit.tuning(
            target.domain, target.rows, {name: each.fitted_on for name, each in tuned.items()}
        ),
        audit.choice(target.domain, target.rows, models, choose(models)),
    ]
    hashes = {
        "source": audit.hashes(processed(source_name), split(source_name)),
        "target": audit.hashes(processed(target_name), split(target_name)),
        "models": {name: model.card["weights_sha256"] for name, model in trained.items()},
    }
    evidence = {"checks": checks, "hashes": hashes, "sources": read_json(METRICS / "sources.json")}
    for name in ("learning_curve", "cross_validation"):
        evidence[name] = read_json(METRICS / f"{name}.json")[name]
    metrics = assemble(
        source, target, pretrained, models, baselines, tuned, settings, evidence, withheld
    )
    told = target.cases, target.domain.classes, judged
    leave(metrics, predictions(*told), plots(*told, tuned, settings.confidence))
    for line in lines(metrics):
        say(line)


def processed(name: str) -> Path:
    return Path("data/processed") / name


def split(name: str) -> Path:
    return Path(f"data/splits/{name}.csv")


def leave(metrics: dict, cases: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> None:
    """Write the chosen model, the tables and the metrics."""
    with whole_folder(BEST) as folder:
        for name in ("weights.safetensors", "card.json"):
            shutil.copyfile(MODELS[metrics["chosen"]["model"]] / name, folder / name)
    with whole_folder(METRICS / "plots") as folder:
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    with whole_file(METRICS / "predictions.csv") as path:
        cases.to_csv(path, index=False, lineterminator="\n")
    with whole_file(METRICS / "summary.json") as path:
        write_json(path, headline(metrics))
    with whole_file(METRICS / "metrics.json") as path:
        write_json(path, metrics)


if __name__ == "__main__":
    run(main)
