"""Generalise the grafted network: the augmented loss, L1 and L2."""

from pathlib import Path

from graft.config import load_model
from graft.console import run
from graft.data.task import read_task
from graft.networks.saved import load_model, pick_device
from graft.training.fitting import log_curves, parent_reference, save_trained, train_network
from graft.training.loop import Plan

GRAFTED = Path("models/finetuned/transfer")


def main() -> None:
    target, training, augment, recipe, seed = load_model.read(
        "target", "training", "augment", "regularize", "seed"
    )
    device = pick_device(training.device)
    grafted = load_model(GRAFTED, device)
    task = read_task(
        Path("data/processed") / target, Path(f"data/splits/{target}.csv"), device, grafted.encoding
    )
    plan = Plan(recipe, training, augment, seed, "regularize", keep_start=True)
    with log_curves(Path("metrics/curves/regularize")) as log:
        best = train_network(grafted.networks[0], task, plan, log)
    architecture = grafted.card["architecture"]
    card = {"parent": parent_reference(GRAFTED), "scores": best}
    save_trained(Path("models/regularized"), grafted.networks, architecture, task, plan, **card)


if __name__ == "__main__":
    run(main)
