"""Graft the pretrained network onto the target: L_target(θ) + λ·R(θ − θ_pretrained); or start from scratch."""

from pathlib import Path

from graft import grafting, learn, params, samples
from graft.console import one_of, run, say
from graft.model import load, pick_device
from graft.train import Plan

PRETRAINED = Path("models/pretrained")


def main(init: str) -> None:
    one_of("stages.finetune", init, ("transfer", "scratch"))
    target, training, augment, recipe, seed = params.read("target", "training", "augment", "finetune", "seed")
    device = pick_device(training.device)
    task = samples.read(Path("data/processed") / target, Path(f"data/splits/{target}.csv"), device)
    if init == "transfer":
        start = grafting.from_source(load(PRETRAINED), task, recipe, params.read("lambda"), seed, device)
        say(f"finetune-transfer: from {PRETRAINED}: {start.carried}")
        card = {"parent": learn.parent(PRETRAINED), "lambda": start.pull.weight, "carried": vars(start.carried)}
    else:
        start = grafting.from_scratch(params.read("network"), task, seed, device)
        card = {"parent": None}
    plan = Plan(recipe, training, augment, seed, f"finetune-{init}", start.pull)
    with learn.curves(Path("metrics/curves") / plan.stage) as log:
        best = grafting.fit(start, task, plan, log)
    learn.save(Path("models/finetuned") / init, [start.network], start.architecture, task, plan, **card, scores=best)


if __name__ == "__main__":
    run(main)
