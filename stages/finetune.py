"""Graft the pretrained network onto the target: L_target(θ) + λ·R(θ − θ_pretrained); or start from scratch."""

from pathlib import Path

from graft import learn, networks, params, samples
from graft.console import one_of, run, say
from graft.model import load, pick_device
from graft.penalty import pull_towards
from graft.seeds import derive
from graft.train import Plan
from graft.transfer import carry, same_covariates

PRETRAINED = Path("models/pretrained")


def main(init: str) -> None:
    one_of("stages.finetune", init, ("transfer", "scratch"))
    target, training, augment, recipe, seed = params.read("target", "training", "augment", "finetune", "seed")
    device = pick_device(training.device)
    task = samples.read(Path("data/processed") / target, Path(f"data/splits/{target}.csv"), device)
    if init == "transfer":
        source = load(PRETRAINED)
        if recipe.head == "pretrained":
            same_covariates(source.encoding, task.encoding)
        architecture = networks.for_domain(source.card["architecture"], task.domain, task.encoding.width)
        model = networks.build(**architecture, seed=derive(seed, "network"))
        carried = carry(source.networks[0].state_dict(), model, architecture["name"], head=recipe.head)
        say(f"finetune-transfer: from {PRETRAINED}: {carried}")
        pull = pull_towards(model.to(device), carried.loaded, params.read("lambda"), recipe.penalty)
        card = {"parent": learn.parent(PRETRAINED), "lambda": pull.weight, "carried": vars(carried)}
    else:
        architecture = networks.architecture(params.read("network"), task.domain, task.encoding.width)
        model = networks.build(**architecture, seed=derive(seed, "network")).to(device)
        pull, card = None, {"parent": None}
    plan = Plan(recipe, training, augment, seed, f"finetune-{init}", pull)
    if init == "scratch" or recipe.head == "new":
        learn.start_head(model, task, plan)
    with learn.curves(Path("metrics/curves") / plan.stage) as log:
        best = learn.train(model, task, plan, log)
    learn.save(Path("models/finetuned") / init, [model], architecture, task, plan, **card, scores=best)


if __name__ == "__main__":
    run(main)
