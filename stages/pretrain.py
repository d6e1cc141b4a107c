"""Learn the source domain from scratch."""

from pathlib import Path

from graft import learn, networks, params, samples
from graft.console import run
from graft.model import pick_device
from graft.seeds import derive
from graft.train import Plan


def main() -> None:
    source, network, training, augment, recipe, seed = params.read(
        "source", "network", "training", "augment", "pretrain", "seed"
    )
    device = pick_device(training.device)
    task = samples.read(Path("data/processed") / source, Path(f"data/splits/{source}.csv"), device)
    architecture = networks.architecture(network, task.domain, task.encoding.width)
    model = networks.build(**architecture, seed=derive(seed, "network")).to(device)
    plan = Plan(recipe, training, augment, seed, "pretrain")
    learn.start_head(model, task, plan)
    with learn.curves(Path("metrics/curves/pretrain")) as log:
        best = learn.train(model, task, plan, log)
    learn.save(Path("models/pretrained"), [model], architecture, task, plan, parent=None, scores=best)


if __name__ == "__main__":
    run(main)
