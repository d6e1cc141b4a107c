"""Learn the source domain from scratch; or take weights that were learnt elsewhere."""

from pathlib import Path

from graft import adopt, learn, networks, params, samples, sources
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
    processed, drawn = Path("data/processed") / source, derive(seed, "network")
    if recipe.source != source:
        domain = Domain.read(processed)
        architecture = networks.architecture(network, domain)
        weights = sources.find(recipe.source, network.name)
        adopt.save(PRETRAINED, weights, architecture, domain, drawn)
        learn.no_curves(CURVES)
        return
    device = pick_device(training.device)
    task = samples.read(processed, Path(f"data/splits/{source}.csv"), device)
    architecture = networks.architecture(network, task.domain, task.encoding.width)
    model = networks.build(**architecture, seed=drawn).to(device)
    plan = Plan(recipe, training, augment, seed, "pretrain")
    learn.start_head(model, task, plan)
    with learn.curves(CURVES) as log:
        best = learn.train(model, task, plan, log)
    learn.save(PRETRAINED, [model], architecture, task, plan, parent=None, scores=best)


if __name__ == "__main__":
    run(main)
