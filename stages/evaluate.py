"""Evaluate: every model on the test part and the external site, with intervals, and what transfer gained."""

import shutil
from pathlib import Path

from graft import audit, params
from graft.console import run, say
from graft.files import read_json, whole_file, whole_folder, write_json
from graft.metrics import COVARIATES, assemble, choose, headline
from graft.model import load, pick_device
from graft.study import Study
from graft.summary import lines
from graft.tables import plots, predictions
from graft.tune import tune

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
    seed, source_name, target_name, settings, device_name = params.read(
        "seed", "source", "target", "evaluate", "training.device"
    )
    device = pick_device(device_name)
    source, target = (
        Study.read(Path(f"data/processed/{name}"), Path(f"data/splits/{name}.csv"), settings.resamples, seed)
        for name in (source_name, target_name)
    )
    audited = {"pretrained": audit.Trained(PRETRAINED, None, source.domain, source.rows)}
    for name, folder in MODELS.items():
        audited[name] = audit.Trained(folder, PARENTS[name], target.domain, target.rows)
    checks = read_json(METRICS / "checks.json").get("checks", []) + audit.trained(audited)
    first = load(PRETRAINED, device)
    pretrained = None if "weights" in first.card else source.assess(first)
    models = {name: target.assess(load(folder, device)) for name, folder in MODELS.items()}
    baselines = {"majority": target.assess_majority(), "size_alone": target.assess_size_alone()}
    withheld = None
    if known := target.assess_covariates_only():
        baselines[COVARIATES] = known
        withheld = target.assess(load(MODELS[choose(models)], device), withhold=True)
    judged = models | baselines
    tuned = {name: tune(model, target.cases, settings) for name, model in judged.items()}
    checks += [
        audit.thresholds(target.domain, target.rows, judged),
        audit.tuning(target.domain, target.rows, {name: each.fitted_on for name, each in tuned.items()}),
        audit.choice(target.domain, target.rows, models, choose(models)),
    ]
    hashes = {
        role: audit.hashes(Path(f"data/processed/{name}"), Path(f"data/splits/{name}.csv"))
        for role, name in (("source", source_name), ("target", target_name))
    }
    hashes["models"] = {name: model.card["weights_sha256"] for name, model in audited.items()}
    evidence = {"checks": checks, "hashes": hashes, "sources": read_json(METRICS / "sources.json")}
    for name in ("learning_curve", "cross_validation"):
        evidence[name] = read_json(METRICS / f"{name}.json")[name]
    metrics = assemble(source, target, pretrained, models, baselines, tuned, settings, evidence, withheld)
    told = target.cases, target.domain.classes, judged

    with whole_folder(BEST) as folder:
        for name in ("weights.safetensors", "card.json"):
            shutil.copyfile(MODELS[metrics["chosen"]["model"]] / name, folder / name)
    with whole_folder(METRICS / "plots") as folder:
        for name, table in plots(*told, tuned, settings.confidence).items():
            table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    with whole_file(METRICS / "predictions.csv") as path:
        predictions(*told).to_csv(path, index=False, lineterminator="\n")
    with whole_file(METRICS / "summary.json") as path:
        write_json(path, headline(metrics))
    with whole_file(METRICS / "metrics.json") as path:
        write_json(path, metrics)
    for line in lines(metrics):
        say(line)


if __name__ == "__main__":
    run(main)
