"""Graft the pretrained network onto the target: L_target(θ) + λ·R(θ − θ_pretrained); or start from scratch."""

from pathlib import Path

from graft.config import load_model
from graft.console import one_of, run, say
from graft.data.task import read_task
from graft.networks.saved import load_model, pick_device
from graft.training.fitting import log_curves, parent_reference, save_trained
from graft.training.loop import Plan
from graft.transfer.start import (
    architecture,
    carried,
    fit_start,
    network,
    pull,
    start_from_scratch,
    start_from_source,
)

PRETRAINED = Path("models/pretrained")


def main(init: str) -> None:
    one_of("stages.finetune", init, ("transfer", "scratch"))
    target, training, augment, recipe, seed = load_model.read(
        "target", "training", "augment", "finetune", "seed"
    )
    device = pick_device(training.device)
    task = read_task(Path("data/processed") / target, Path(f"data/splits/{target}.csv"), device)
    if init == "transfer":
        start = start_from_source(
            load_model(PRETRAINED), task, recipe, load_model.read("lambda"), seed, device
        )
        say(f"finetune-transfer: from {PRETRAINED}: {start.carried}")
        card = {
            "parent": parent_reference(PRETRAINED),
            "lambda": pull.weight,
            "carried": vars(carried),
        }
    else:
        start = start_from_scratch(load_model.read("network"), task, seed, device)
        card = {"parent": None}
    plan = Plan(recipe, training, augment, seed, f"finetune-{init}", pull)
    with log_curves(Path("metrics/curves") / plan.stage) as log:
        best = fit_start(start, task, plan, log)
    save_trained(
        Path("models/finetuned") / init, [network], architecture, task, plan, **card, scores=best
    )


if __name__ == "__main__":
    run(main)
