"""Cross-validation: does transfer help, asked of every patient of the target, with other folds and other seeds?"""

from pathlib import Path

from graft.common.files import read_json, whole_file, write_json
from graft.config import load_model
from graft.console import run, say

SOURCES = Path("models/sources/sources.json")
BLOCK = Path("metrics/cross_validation.json")


def main() -> None:
    count, repeats, lambdas, resamples, confidence = load_model.read(
        "evaluate.folds",
        "evaluate.repeats",
        "evaluate.lambdas",
        "evaluate.resamples",
        "evaluate.confidence",
    )
    if not count:
        leave({"cross_validation": None})
        return
    target, network, recipe, training, augment, weight, seed = load_model.read(
        "target", "network", "finetune", "training", "augment", "lambda", "seed"
    )
    from graft.common.seeds import generator
    from graft.data.domain import Domain
    from graft.data.split import pool_for_cross_validation, read_split
    from graft.evaluation import cross_validation
    from graft.networks.saved import load_model, pick_device
    from graft.repeated.cross_validation import assemble, candidate_sources, lines, train_folds
    from graft.repeated.trainings import Trials

    domain, device = Domain.read(Path("data/processed") / target), pick_device(training.device)
    rows, validation = pool_for_cross_validation(
        read_split(Path(f"data/splits/{target}.csv"), domain.index), domain.index
    )
    trials = Trials("cross_validate", domain, network, recipe, training, augment, device)
    sources = {
        name: load_model(Path(folder), device) for name, folder in read_json(SOURCES).items()
    }
    offered = candidate_sources(sources, lambdas or [weight])
    found = train_folds(trials, rows, count, repeats, validation, offered, seed)
    random = generator(seed, "bootstrap", target, "cross-validation")
    block = assemble(domain, found, offered, resamples, confidence, random)
    leave(block)
    for line in lines(block):
        say(line)


def leave(block: dict) -> None:
    """Write the JSON file."""
    with whole_file(BLOCK) as path:
        write_json(path, block)


if __name__ == "__main__":
    run(main)
