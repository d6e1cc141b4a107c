"""Learn the source domain from scratch; or take weights that were learnt elsewhere."""

from pathlib import Path

from graft import adopt, grafting, learn, networks, params, samples, sources
from graft.console import run
from graft.domain import Domain
from graft.model import pick_device
from graft.seeds import derive
from graft.train import Plan

PRETRAINED, CURVES = Path("models/pretrained"), Path("metrics/curves/pretrain")


def main() -> None:
    source, network, training, augment, recipe, seed = params.read(
        "source", "network", "training", "augment", "pretrain", "seed"
    )
    processed = Path("data/processed") / source
    if recipe.source != source:
        domain = Domain.read(processed)
        architecture = networks.architecture(network, domain)
        weights = sources.find(recipe.source, network.name)
        adopt.save(PRETRAINED, weights, architecture, domain, derive(seed, "network"))
        learn.no_curves(CURVES)
        return
    device = pick_device(training.device)
    task = samples.read(processed, Path(f"data/splits/{source}.csv"), device)
    start = grafting.from_scratch(network, task, seed, device)
    plan = Plan(recipe, training, augment, seed, "pretrain")
    with learn.curves(CURVES) as log:
        best = grafting.fit(start, task, plan, log)
    learn.save(PRETRAINED, [start.network], start.architecture, task, plan, parent=None, scores=best)


if __name__ == "__main__":
    run(main)
