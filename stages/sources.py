"""Compare the sources: how unlike the target each is, and which of the learnt networks promises most there."""

from pathlib import Path

from graft import grafting, leaks, learn, networks, params, samples
from graft.blocks import check, clean
from graft.console import run, say
from graft.files import whole_file, whole_folder, write_json
from graft.model import Model, load, pick_device
from graft.ranking import rank
from graft.samples import Task
from graft.seeds import derive
from graft.train import Plan
from graft.transferability import RANDOM

PRETRAINED, SOURCES, METRICS = Path("models/pretrained"), Path("models/sources"), Path("metrics/sources.json")


def main() -> None:
    source, target, chosen, network, training, augment, recipe, seed, folds = params.read(
        "source", "target", "sources", "network", "training", "augment", "pretrain", "seed", "evaluate.folds"
    )
    device = pick_device(training.device)
    for name in chosen.candidates:  # of the source itself, the stage check has looked
        leaks.across(leaks.Cohort.read(*files(name)), leaks.Cohort.read(*files(target)), everybody=folds > 0)

    def learnable(name: str) -> Task:
        return samples.read(*files(name), device)

    elsewhere = recipe.source != source
    first = Path(recipe.source).name if elsewhere else source  # of a file its name: a path would tell whose it is
    tasks = {name: learnable(name) for name in ([] if elsewhere else [source]) + chosen.candidates}
    folders = {first: PRETRAINED, **{name: SOURCES / name for name in chosen.candidates}}
    with whole_folder(SOURCES) as partial:
        for name in chosen.candidates:
            plan = Plan(recipe, training, augment, seed, f"pretrain-{name}")
            start = grafting.from_scratch(network, tasks[name], seed, device)
            best = grafting.fit(start, tasks[name], plan, lambda row: None)
            (partial / name).mkdir()
            learn.write(partial / name, [start.network], start.architecture, tasks[name], plan, parent=None, scores=best)
        write_json(partial / "sources.json", {name: folder.as_posix() for name, folder in folders.items()})

    task = learnable(target)
    drawn = networks.architecture(network, task.domain)
    fresh = networks.build(**drawn, seed=derive(seed, "network")).to(device).eval()
    models = {name: load(folder, device) for name, folder in folders.items()}
    models[RANDOM] = Model({"architecture": drawn}, [fresh])
    found = clean(rank(task, models, {name: each.train for name, each in tasks.items()}, seed))
    check(found, "sources.schema.json")
    with whole_file(METRICS) as path:
        write_json(path, found)
    for row in found["ranking"]:
        say(f"sources: {row['source']} for {target}: LogME {row['logme']:.3f}, H-score {row['h_score']:.3f}")


def files(name: str) -> tuple[Path, Path]:
    """Where a domain and its split are."""
    return Path("data/processed") / name, Path(f"data/splits/{name}.csv")


if __name__ == "__main__":
    run(main)
