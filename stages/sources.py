"""Compare the sources: how unlike the target each is, and which of the learnt networks promises most there."""

from pathlib import Path

from graft.common.documents import check_schema, clean
from graft.common.files import whole_file, whole_folder, write_json
from graft.common.seeds import derive
from graft.config import load_model
from graft.console import run, say
from graft.data.task import Task, domain, read_task
from graft.leakage import cohorts
from graft.networks.build import architecture_for, build_network
from graft.networks.saved import Model, load_model, pick_device
from graft.ranking.rank import rank
from graft.ranking.transferability import RANDOM
from graft.training.fitting import write_trained
from graft.training.loop import Plan
from graft.transfer.start import architecture, fit_start, network, start_from_scratch

PRETRAINED, SOURCES, METRICS = (
    Path("models/pretrained"),
    Path("models/sources"),
    Path("metrics/sources.json"),
)


def main() -> None:
    source, target, chosen, network, training, augment, recipe, seed, folds = load_model.read(
        "source",
        "target",
        "sources",
        "network",
        "training",
        "augment",
        "pretrain",
        "seed",
        "evaluate.folds",
    )
    device = pick_device(training.device)
    for name in chosen.candidates:  # of the source itself, the stage check has looked
        cohorts.across(
            cohorts.Cohort.read(*files(name)),
            cohorts.Cohort.read(*files(target)),
            everybody=folds > 0,
        )

    def learnable(name: str) -> Task:
        return read_task(*files(name), device)

    elsewhere = recipe.source != source
    first = (
        Path(recipe.source).name if elsewhere else source
    )  # of a file its name: a path would tell whose it is
    tasks = {name: learnable(name) for name in ([] if elsewhere else [source]) + chosen.candidates}
    folders = {first: PRETRAINED, **{name: SOURCES / name for name in chosen.candidates}}
    with whole_folder(SOURCES) as partial:
        for name in chosen.candidates:
            plan = Plan(recipe, training, augment, seed, f"pretrain-{name}")
            start = start_from_scratch(network, tasks[name], seed, device)
            best = fit_start(start, tasks[name], plan, lambda row: None)
            (partial / name).mkdir()
            write_trained(
                partial / name, [network], architecture, tasks[name], plan, parent=None, scores=best
            )
        write_json(
            partial / "sources.json", {name: folder.as_posix() for name, folder in folders.items()}
        )

    task = learnable(target)
    drawn = architecture_for(network, domain)
    fresh = build_network(**drawn, seed=derive(seed, "network")).to(device).eval()
    models = {name: load_model(folder, device) for name, folder in folders.items()}
    models[RANDOM] = Model({"architecture": drawn}, [fresh])
    found = clean(rank(task, models, {name: each.train for name, each in tasks.items()}, seed))
    check_schema(found, "sources.schema.json")
    with whole_file(METRICS) as path:
        write_json(path, found)
    for row in found["ranking"]:
        say(
            f"sources: {row['source']} for {target}: LogME {row['logme']:.3f}, H-score {row['h_score']:.3f}"
        )


def files(name: str) -> tuple[Path, Path]:
    """Where a domain and its split are."""
    return Path("data/processed") / name, Path(f"data/splits/{name}.csv")


if __name__ == "__main__":
    run(main)
