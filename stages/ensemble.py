"""Ensembles of the regularised network: bagging, the mean of K members, or boosting, Σ αₖ fₖ."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from graft.config import load_model
from graft.console import one_of, run
from graft.data.task import read_task
from graft.networks.saved import load_model, pick_device
from graft.training import ensemble
from graft.training.fitting import log_curves, parent_reference, save_trained, train_network
from graft.training.loop import Plan

REGULARIZED = Path("models/regularized")


def main(method: str) -> None:
    one_of("stages.ensemble", method, ("bagging", "boosting"))
    target, training, augment, recipe, seed = load_model.read(
        "target", "training", "augment", "ensemble", "seed"
    )
    device = pick_device(training.device)
    start = load_model(REGULARIZED)
    task = read_task(
        Path("data/processed") / target, Path(f"data/splits/{target}.csv"), device, start.encoding
    )
    plan = Plan(recipe, training, augment, seed, f"ensemble-{method}")
    scores = []
    with log_curves(Path("metrics/curves") / plan.stage) as log:

        def fit(k: int, weights: Tensor) -> nn.Module:
            (member,) = load_model(REGULARIZED, device).networks
            scores.append(
                train_network(
                    member, task, replace(plan, purpose=f"{plan.stage}/{k}"), log, weights
                )
            )
            return member

        if method == "bagging":
            members, shares = ensemble.bag(fit, task, recipe.members, seed)
        else:
            members, shares = ensemble.boost(fit, task, recipe.members, training.class_weights)
    card = {"parent": parent_reference(REGULARIZED), "shares": shares, "scores": scores}
    save_trained(
        Path("models/ensemble") / method, members, start.card["architecture"], task, plan, **card
    )


if __name__ == "__main__":
    run(main)
