"""Learn the source domain from scratch; or take weights that were learnt elsewhere."""

from pathlib import Path

from graft.common.seeds import derive
from graft.config import load
from graft.console import run
from graft.data.domain import Domain
from graft.data.task import read_task
from graft.networks.build import architecture_for
from graft.networks.saved import pick_device
from graft.training.fitting import log_curves, save_trained, write_empty_curves
from graft.training.loop import Plan
from graft.transfer.adopt import save_adopted
from graft.transfer.start import architecture, fit_start, network, start_from_scratch
from graft.transfer.weights import find_weights

PRETRAINED, CURVES = Path("models/pretrained"), Path("metrics/curves/pretrain")


def main() -> None:
    source, network, training, augment, recipe, seed = load.read(
        "source", "network", "training", "augment", "pretrain", "seed"
    )
    processed = Path("data/processed") / source
    if recipe.source != source:
        domain = Domain.read(processed)
        architecture = architecture_for(network, domain)
        weights = find_weights(recipe.source, network.name)
        save_adopted(PRETRAINED, weights, architecture, domain, derive(seed, "network"))
        write_empty_curves(CURVES)
        return
    device = pick_device(training.device)
    task = read_task(processed, Path(f"data/splits/{source}.csv"), device)
    start = start_from_scratch(network, task, seed, device)
    plan = Plan(recipe, training, augment, seed, "pretrain")
    with log_curves(CURVES) as log:
        best = fit_start(start, task, plan, log)
    save_trained(PRETRAINED, [network], architecture, task, plan, parent=None, scores=best)


if __name__ == "__main__":
    run(main)
