"""Evaluate every model on the test part and the external site, and what transfer gained there."""

import shutil
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from graft.audit import choices
from graft.audit.cards import TrainedModel, check_cards
from graft.audit.out_of_fold import check_fold_networks, read_predictions_of
from graft.audit.seen_images import check_seen_images
from graft.common.documents import clean
from graft.common.files import read_sealed, whole_file, whole_folder, write_json, write_sealed
from graft.common.parameters import Section, read_parameters
from graft.common.seeds import generator
from graft.common.vocabulary import REFERENCE
from graft.console import run, say
from graft.data.predictions import write_table
from graft.data.repeats import pool_for_cross_validation
from graft.evaluation.ensembles import judge_ensembles
from graft.evaluation.entries import COVARIATES, SIZE
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.metrics import assemble_metrics, choose_model, headline
from graft.evaluation.settings import Evaluate
from graft.evaluation.summary import summary_lines
from graft.evaluation.tables import plot_tables, prediction_table
from graft.evaluation.tasks import check_task_columns, score_tasks, task_lines
from graft.evaluation.tuning import tune
from graft.leakage.rows import CheckRow, read_checks
from graft.multitask.saved import ALONE
from graft.networks.card import has_model
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.networks.settings import Device
from graft.repeated_evaluation.cross_validation import cross_validation_lines, judge_folds
from graft.repeated_evaluation.curve_points import Point, read_points
from graft.repeated_evaluation.folds import NamedCandidate, read_folds
from graft.repeated_evaluation.learning_curve import curve_lines, curve_table, judge_points
from graft.statistics.cases import Assessment
from stages import paths

MODELS = {
    "scratch": paths.FINETUNED["scratch"],
    "transfer": paths.FINETUNED["transfer"],
    "regularized": paths.REGULARIZED,
    "bagging": paths.ENSEMBLE["bagging"],
    "boosting": paths.ENSEMBLE["boosting"],
}
PARENTS = {
    "scratch": None,
    "transfer": paths.PRETRAINED,
    "regularized": paths.FINETUNED["transfer"],
    "bagging": paths.REGULARIZED,
    "boosting": paths.REGULARIZED,
}


class Parameters(Section):
    """What this stage reads of params.yaml."""

    source: str
    target: str
    candidates: list[str] = Field(alias="sources.candidates")
    evaluate: Evaluate
    device: Device = Field(alias="training.device")
    seed: int


def main() -> None:
    """Write metrics/ and models/best, and print the table of models and the verdict."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    settings = parameters.evaluate
    seed = parameters.seed
    use_deterministic_algorithms()
    device = pick_device(parameters.device)
    source = read_evaluated(parameters.source, settings, seed)
    target = read_evaluated(parameters.target, settings, seed)
    body = paths.SELF_SUPERVISED if has_model(paths.SELF_SUPERVISED) else None
    trained = {"pretrained": TrainedModel(paths.PRETRAINED, body, source.domain, source.rows)}
    for name, folder in MODELS.items():
        trained[name] = TrainedModel(folder, PARENTS[name], target.domain, target.rows)
    roles = (parameters.source, parameters.target, parameters.candidates)
    if has_model(paths.DEEP):
        trained["deep"] = TrainedModel(paths.DEEP, paths.PRETRAINED, target.domain, target.rows)
    alone = {
        f"{folder.name} alone": TrainedModel(folder, body, source.domain, source.rows)
        for folder in sorted((paths.PRETRAINED / ALONE).glob("*"))
    }
    before = read_checks(paths.CHECKS, *roles)
    checks = before + check_cards(trained | alone)
    if body:
        domains = [(source.domain, source.rows), (target.domain, target.rows)]
        checks.append(check_seen_images(body, paths.WITHOUT_LABELS, domains, before))

    pretrained_model = load_model(paths.PRETRAINED, device)
    is_from_elsewhere = "weights" in pretrained_model.card  # then its head is untrained
    pretrained = None if is_from_elsewhere else source.assess(pretrained_model)
    out_of_fold, rows = read_out_of_fold(target, trained)
    checks += rows
    models = {}
    for name, folder in MODELS.items():
        models[name] = target.assess(load_model(folder, device), out_of_fold.get(name))
    chosen = choose_model(models)
    baselines = {"majority": target.assess_majority(), SIZE: target.assess_size_alone()}
    withheld = None
    if known := target.assess_covariates_only():
        baselines[COVARIATES] = known
        withheld = target.assess(load_model(MODELS[chosen], device), withhold=True)
    judged = models | baselines
    tuned = {name: tune(model, target.cases, settings) for name, model in judged.items()}

    fitted_on = {name: fitted.fitted_on for name, fitted in tuned.items()}
    checks.append(choices.check_thresholds(target, judged))
    checks.append(choices.check_tuning(target, fitted_on))
    checks.append(choices.check_choice(target, models, chosen))
    checks += check_task_columns(source, paths.PRETRAINED)
    tasks = score_tasks(
        source, paths.PRETRAINED, settings.resamples, settings.confidence, seed, device
    )
    sources = read_sealed(paths.SOURCES)
    default = NamedCandidate(
        source=sources["distances"][0]["source"],
        strategy=trained["transfer"].strategy,
        weight=trained["transfer"].card.get("lambda", 0.0),
    )
    points = read_points(
        paths.REPEATED["learning_curve"],
        target.domain.classes,
        target.cases["test"].samples,
        default.strategy,
    )
    averaged = judge_averages(target, models, trained, points, device, settings.confidence)
    evidence = {
        "checks": checks,
        "hashes": hashes(parameters, trained),
        "boosting_alphas": trained["boosting"].card["alphas"],
        "ensembles": clean(averaged),
        "sources": sources,
        "tasks": clean(tasks),
        **judge_repeated(target, points, default, settings, seed),
    }
    metrics = assemble_metrics(
        source, target, pretrained, models, baselines, tuned, settings, evidence, withheld
    )
    classes = target.domain.classes
    predictions = prediction_table(target.cases, classes, judged)
    tables = plot_tables(target.cases, classes, judged, tuned, settings.confidence)
    tables["learning_curve"] = curve_table(metrics)
    write_results(metrics, predictions, tables)
    unit = metrics["bootstrap"]["unit"]
    repeated = (*curve_lines(metrics, unit), *cross_validation_lines(metrics))
    for line in (*repeated, *task_lines(metrics), *summary_lines(metrics)):
        say(line)


def read_evaluated(name: str, settings: Evaluate, seed: int) -> EvaluatedDomain:
    """Read a processed domain with its split."""
    return EvaluatedDomain.from_files(
        paths.processed(name), paths.split(name), settings.resamples, seed, paths.VERIFIED
    )


def judge_averages(
    target: EvaluatedDomain,
    models: Mapping[str, Assessment],
    trained: Mapping[str, TrainedModel],
    points: Sequence[Point],
    device: torch.device,
    confidence: float,
) -> dict:
    """Make the block of metrics.json about ensembles: those of the chain and the deep one."""
    members = {name: len(trained[name].card["shares"]) for name in paths.ENSEMBLE}
    deep = None
    from_scratch: Sequence[np.ndarray] = ()
    if "deep" in trained:
        deep = load_model(paths.DEEP, device)
        from_scratch = points[-1].probabilities[REFERENCE]
    return judge_ensembles(target, models, members, deep, from_scratch, confidence)


def read_out_of_fold(
    target: EvaluatedDomain, trained: Mapping[str, TrainedModel]
) -> tuple[dict[str, np.ndarray], list[CheckRow]]:
    """Read and check what each model predicts out of fold; nothing if there are no folds."""
    if target.validated_by != "folds":
        return {}, []
    found = {name: read_predictions_of(target, folder) for name, folder in MODELS.items()}
    models = {name: trained[name] for name in MODELS}
    return found, check_fold_networks(target, models, found)


def judge_repeated(
    target: EvaluatedDomain,
    points: Sequence[Point],
    default: NamedCandidate,
    settings: Evaluate,
    seed: int,
) -> dict:
    """Make the blocks of metrics.json about the repeated trainings from their predictions.

    Args:
        target: the domain that was trained on.
        points: of the learning curve.
        default: how the model `transfer` was trained.
        settings: of the evaluation.
        seed: of the resamples.
    """
    domain = target.domain
    test = target.cases["test"]
    random = generator(seed, "bootstrap", domain.name, "draws")
    curve = judge_points(points, test, settings.confidence, random, default.strategy)
    pool, _ = pool_for_cross_validation(target.rows, domain.index)
    folds, candidates = read_folds(paths.REPEATED["cross_validation"], domain.classes, pool)
    random = generator(seed, "bootstrap", domain.name, "cross-validation")
    validated = judge_folds(
        domain, folds, candidates, settings.resamples, settings.confidence, random, default
    )
    return curve | validated


def hashes(parameters: Parameters, trained: dict[str, TrainedModel]) -> dict:
    """Compute SHA-256 of the data and of the weights that the metrics are about."""
    found = {}
    for role, name in (("source", parameters.source), ("target", parameters.target)):
        found[role] = choices.hash_inputs(paths.processed(name), paths.split(name))
    found["models"] = {name: model.card["weights_sha256"] for name, model in trained.items()}
    return found


def write_results(metrics: dict, cases: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> None:
    """Write the chosen model, the tables and the metrics."""
    chosen = MODELS[metrics["chosen"]["model"]]
    with whole_folder(paths.BEST) as folder:
        for name in ("weights.safetensors", "card.json"):
            shutil.copyfile(chosen / name, folder / name)
    with whole_folder(paths.PLOTS) as folder:
        for name, table in tables.items():
            write_table(folder / f"{name}.csv", table)
    write_table(paths.PREDICTIONS, cases)
    with whole_file(paths.SUMMARY) as path:
        write_json(path, headline(metrics))
    files = [paths.PREDICTIONS, *(paths.PLOTS / f"{name}.csv" for name in tables)]
    with whole_file(paths.METRICS_DOCUMENT) as path:
        names = [file.relative_to(paths.METRICS).as_posix() for file in files]
        write_sealed(path, metrics, names)


if __name__ == "__main__":
    run(main)
