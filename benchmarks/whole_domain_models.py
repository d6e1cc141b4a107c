"""Two models with random predictions, judged as `evaluate` judges trained ones."""

from pathlib import Path

import numpy as np

from graft.common.seeds import generator
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.settings import Evaluate
from graft.evaluation.subgroups import score_subgroups
from graft.evaluation.tables import plot_tables, prediction_table
from graft.evaluation.tuning import tune
from graft.statistics.cases import Assessment, assess
from graft.statistics.compare import compare
from graft.statistics.scores import PROBABILITY_DECIMALS

SETTINGS = Evaluate(
    resamples=2000,
    confidence=0.95,
    margin=0.05,
    sensitivity=0.9,
    specificity=0.9,
    miscoverage=0.1,
)


def judge_models(folder: Path, split_file: Path) -> None:
    """Judge two models on a processed domain with its split."""
    domain = EvaluatedDomain.from_files(folder, split_file, SETTINGS.resamples, seed=0)
    classes = domain.domain.classes
    models = {name: random_model(domain, name) for name in ("scratch", "transfer")}
    compare(domain.cases, models, "scratch", ("test",), SETTINGS.confidence, SETTINGS.margin)
    score_subgroups(domain, "transfer", models["transfer"], SETTINGS.confidence)
    tuned = {name: tune(model, domain.cases, SETTINGS) for name, model in models.items()}
    plot_tables(domain.cases, classes, models, tuned, SETTINGS.confidence)
    prediction_table(domain.cases, classes, models)


def random_model(domain: EvaluatedDomain, name: str) -> Assessment:
    """Score a model that knows a little."""
    probabilities = {}
    for part, cases in domain.cases.items():
        noise = generator(0, name, part).standard_normal(len(cases.labels))
        disease = 1 / (1 + np.exp(-cases.labels - noise))
        both = np.stack([1 - disease, disease], axis=1)
        probabilities[part] = both.round(PROBABILITY_DECIMALS)
    return assess(domain.cases, probabilities)
