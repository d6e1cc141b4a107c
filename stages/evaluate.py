"""Evaluate every model on the test part and the external site, and what transfer gained there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from graft.audit.cards import TrainedModel, check_cards
from graft.audit.choices import check_decisions, hash_inputs
from graft.audit.fitted import check_chosen
from graft.audit.out_of_fold import read_all_predictions
from graft.audit.seen_images import check_seen_images
from graft.common.documents import clean
from graft.common.files import read_sealed, whole_file, whole_folder, write_json, write_sealed
from graft.common.parameters import Section, read_parameters
from graft.common.vocabulary import REFERENCE
from graft.console import run, say
from graft.data.predictions import write_table
from graft.data.repeats import pool_for_cross_validation
from graft.evaluation.ensembles import judge_ensembles
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.metrics import assemble_metrics, headline
from graft.evaluation.privacy import privacy_block
from graft.evaluation.scored import ScoredModels, score_models
from graft.evaluation.settings import Evaluate
from graft.evaluation.summary import summary_lines
from graft.evaluation.tables import plot_tables, prediction_table
from graft.evaluation.tasks import check_task_columns, score_tasks, task_lines
from graft.keys.find import find_secret
from graft.keys.pseudonyms import keyed_sha256
from graft.keys.settings import PseudonymKey
from graft.leakage.rows import CheckRow, read_checks
from graft.multitask.saved import ALONE
from graft.networks.card import has_model
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.networks.settings import Device
from graft.patient_effect.block import patient_effect_block
from graft.release.chosen import ChosenModel, fit_chosen, release_blocks
from graft.release.fitted import Fitted
from graft.release.folder import fill_release, fitted_of
from graft.release.settings import Licence
from graft.repeated_evaluation.cross_validation import cross_validation_lines
from graft.repeated_evaluation.curve_points import read_points
from graft.repeated_evaluation.folds import NamedCandidate
from graft.repeated_evaluation.judge import judge_repeated
from graft.repeated_evaluation.learning_curve import curve_lines, curve_table
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
    licence: Licence = Field(alias="release.licence")
    key: PseudonymKey = Field(alias="privacy")
    device: Device = Field(alias="training.device")
    seed: int


def main() -> None:
    """Write metrics/ and models/best, and print the table of models and the verdict."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    settings = parameters.evaluate
    use_deterministic_algorithms()
    device = pick_device(parameters.device)
    source = read_evaluated(parameters.source, settings, parameters.seed)
    target = read_evaluated(parameters.target, settings, parameters.seed)

    body = paths.SELF_SUPERVISED if has_model(paths.SELF_SUPERVISED) else None
    trained = describe_models(source, target, body, parameters.key)
    checks = check_training(parameters, source, target, trained, body)
    pretrained = score_pretrained(source, device)
    of_target = {name: trained[name] for name in MODELS}
    out_of_fold, rows = read_all_predictions(target, of_target)
    scored = score_models(target, MODELS, out_of_fold, settings, device)
    chosen = fit_chosen(target, scored, load_model(MODELS[scored.chosen], device), settings)
    checks += rows + check_decisions(target, scored) + check_chosen(target, chosen)
    checks += check_task_columns(source, paths.PRETRAINED)

    evidence = {
        "checks": checks,
        "hashes": hashes(parameters, trained),
        "boosting_alphas": trained["boosting"].card["alphas"],
        "sources": read_sealed(paths.SOURCES),
        "tasks": judge_tasks(source, parameters, device),
        "privacy": privacy_block(
            trained["pretrained"].card,
            paths.WITHOUT_PRIVACY,
            source,
            pretrained,
            settings.confidence,
        ),
        **release_blocks(chosen, target, settings.confidence),
        "patient_effect": judge_patients(target, chosen, settings.confidence),
        **judge_trainings(target, scored, trained, parameters, device),
    }
    metrics = assemble_metrics(source, target, pretrained, scored, settings, evidence)
    classes = target.domain.classes
    predictions = prediction_table(target.cases, classes, scored.all)
    tables = plot_tables(target.cases, classes, scored.all, scored.tuned, settings.confidence)
    tables["learning_curve"] = curve_table(metrics)
    write_results(metrics, predictions, tables)
    write_best(metrics, fitted_of(chosen, scored, metrics, parameters.licence))
    for line in printed_lines(metrics):
        say(line)


def read_evaluated(name: str, settings: Evaluate, seed: int) -> EvaluatedDomain:
    """Read a processed domain with its split."""
    return EvaluatedDomain.from_files(
        paths.processed(name), paths.split(name), settings.resamples, seed, paths.VERIFIED
    )


def describe_models(
    source: EvaluatedDomain, target: EvaluatedDomain, body: Path | None, key: PseudonymKey
) -> dict[str, TrainedModel]:
    """What the card of each model should say, by name.

    Args:
        source: the domain of the pretrained network.
        target: the domain of all other models.
        body: the folder of the network that learned without labels, if there is one.
        key: where the key is found that a privately trained network needs to be checked.
    """
    pretrained = TrainedModel(paths.PRETRAINED, body, source.domain, source.rows)
    if "private_training" in pretrained.card and "weights" not in pretrained.card:
        secret = find_secret(source.domain.name, source.domain.patient_key, key)
        rows = {part: found for part, found in source.rows.items() if part != "validation"}
        pretrained = replace(pretrained, rows=rows, keyed=partial(keyed_sha256, key=secret))
    trained = {"pretrained": pretrained}
    for name, folder in MODELS.items():
        trained[name] = TrainedModel(folder, PARENTS[name], target.domain, target.rows)
    if has_model(paths.DEEP):
        trained["deep"] = TrainedModel(paths.DEEP, paths.PRETRAINED, target.domain, target.rows)
    return trained


def check_training(
    parameters: Parameters,
    source: EvaluatedDomain,
    target: EvaluatedDomain,
    trained: Mapping[str, TrainedModel],
    body: Path | None,
) -> list[CheckRow]:
    """Return the checks before training, and check what each model was trained on."""
    alone = {}
    for folder in sorted((paths.PRETRAINED / ALONE).glob("*")):
        alone[f"{folder.name} alone"] = TrainedModel(folder, body, source.domain, source.rows)
    before = read_checks(paths.CHECKS, parameters.source, parameters.target, parameters.candidates)
    checks = before + check_cards({**trained, **alone})
    if body:
        domains = [(source.domain, source.rows), (target.domain, target.rows)]
        checks.append(check_seen_images(body, paths.WITHOUT_LABELS, domains, before))
    return checks


def score_pretrained(source: EvaluatedDomain, device: torch.device) -> Assessment | None:
    """Score the pretrained network; None if its weights come from elsewhere: it has no head."""
    model = load_model(paths.PRETRAINED, device)
    return None if "weights" in model.card else source.assess(model)


def judge_tasks(source: EvaluatedDomain, parameters: Parameters, device: torch.device) -> dict:
    """Make the block of metrics.json about the tasks of the source."""
    settings = parameters.evaluate
    tasks = score_tasks(
        source,
        paths.PRETRAINED,
        settings.resamples,
        settings.confidence,
        parameters.seed,
        device,
    )
    return clean(tasks)


def judge_patients(target: EvaluatedDomain, chosen: ChosenModel, confidence: float) -> dict | None:
    """Make the block of metrics.json about known lesions; None if the patients are unknown."""
    if not target.domain.patients_known:
        return None
    return patient_effect_block(target.cases, chosen.probabilities, confidence)


def judge_trainings(
    target: EvaluatedDomain,
    scored: ScoredModels,
    trained: Mapping[str, TrainedModel],
    parameters: Parameters,
    device: torch.device,
) -> dict:
    """Make the blocks of metrics.json about repeated trainings and ensembles."""
    settings, domain = parameters.evaluate, target.domain
    default = NamedCandidate(
        source=read_sealed(paths.SOURCES)["distances"][0]["source"],
        strategy=trained["transfer"].strategy,
        weight=trained["transfer"].card.get("lambda", 0.0),
    )
    test = target.cases["test"]
    table = paths.REPEATED["learning_curve"]
    points = read_points(table, domain.classes, test.samples, default.strategy)
    members = {name: len(trained[name].card["shares"]) for name in paths.ENSEMBLE}
    deep = None
    from_scratch: Sequence[np.ndarray] = ()
    if "deep" in trained:
        deep = load_model(paths.DEEP, device)
        from_scratch = points[-1].probabilities[REFERENCE]
    ensembles = judge_ensembles(
        target, scored.models, members, deep, from_scratch, settings.confidence
    )
    pool, _ = pool_for_cross_validation(target.rows, domain.index)
    repeated = judge_repeated(
        domain,
        test,
        points,
        pool,
        paths.REPEATED["cross_validation"],
        default,
        settings.resamples,
        settings.confidence,
        parameters.seed,
    )
    return {"ensembles": clean(ensembles), **repeated}


def hashes(parameters: Parameters, trained: dict[str, TrainedModel]) -> dict:
    """Compute SHA-256 of the data and of the weights that the metrics are about."""
    found = {}
    for role, name in (("source", parameters.source), ("target", parameters.target)):
        found[role] = hash_inputs(paths.processed(name), paths.split(name))
    found["models"] = {name: model.card["weights_sha256"] for name, model in trained.items()}
    return found


def write_results(metrics: dict, cases: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> None:
    """Write the tables and the metrics."""
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


def write_best(metrics: dict, fitted: Fitted) -> None:
    """Write the folder of the chosen model."""
    with whole_folder(paths.BEST) as folder:
        fill_release(folder, MODELS[fitted.name], fitted, metrics)


def printed_lines(metrics: dict) -> Iterator[str]:
    """Yield the lines about repeated trainings and tasks, and the summary."""
    yield from curve_lines(metrics, metrics["bootstrap"]["unit"])
    yield from cross_validation_lines(metrics)
    yield from task_lines(metrics)
    yield from summary_lines(metrics)


if __name__ == "__main__":
    run(main)
