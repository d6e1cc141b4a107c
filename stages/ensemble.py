"""Ensembles of the regularised network: bagging, the mean of K members, or boosting, Σ αₖ fₖ."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from graft import ensemble, learn, params, samples
from graft.console import one_of, run
from graft.model import load, pick_device
from graft.train import Plan

REGULARIZED = Path("models/regularized")


def main(method: str) -> None:
    one_of("stages.ensemble", method, ("bagging", "boosting"))
    target, training, augment, recipe, seed = params.read("target", "training", "augment", "ensemble", "seed")
    device = pick_device(training.device)
    start = load(REGULARIZED)
    task = samples.read(Path("data/processed") / target, Path(f"data/splits/{target}.csv"), device, start.encoding)
    plan = Plan(recipe, training, augment, seed, f"ensemble-{method}")
    scores = []
    with learn.curves(Path("metrics/curves") / plan.stage) as log:

        def fit(k: int, weights: Tensor) -> nn.Module:
            (member,) = load(REGULARIZED, device).networks
            scores.append(learn.train(member, task, replace(plan, purpose=f"{plan.stage}/{k}"), log, weights))
            return member

        if method == "bagging":
            members, shares = ensemble.bag(fit, task, recipe.members, seed)
        else:
            members, shares = ensemble.boost(fit, task, recipe.members, training.class_weights)
    card = {"parent": learn.parent(REGULARIZED), "shares": shares, "scores": scores}
    learn.save(Path("models/ensemble") / method, members, start.card["architecture"], task, plan, **card)


if __name__ == "__main__":
    run(main)
