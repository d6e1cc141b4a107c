"""Generalise the grafted network: the augmented loss, L1 and L2."""

from pathlib import Path

from graft import learn, params, samples
from graft.console import run
from graft.model import load, pick_device
from graft.train import Plan

GRAFTED = Path("models/finetuned/transfer")


def main() -> None:
    target, training, augment, recipe, seed = params.read("target", "training", "augment", "regularize", "seed")
    device = pick_device(training.device)
    grafted = load(GRAFTED, device)
    task = samples.read(Path("data/processed") / target, Path(f"data/splits/{target}.csv"), device, grafted.encoding)
    plan = Plan(recipe, training, augment, seed, "regularize", keep_start=True)
    with learn.curves(Path("metrics/curves/regularize")) as log:
        best = learn.train(grafted.networks[0], task, plan, log)
    architecture = grafted.card["architecture"]
    card = {"parent": learn.parent(GRAFTED), "scores": best}
    learn.save(Path("models/regularized"), grafted.networks, architecture, task, plan, **card)


if __name__ == "__main__":
    run(main)
