"""Cross-validation: does transfer help, asked of every patient of the target, with other folds and other seeds?"""

from pathlib import Path

from graft import params
from graft.console import run, say
from graft.files import read_json, whole_file, write_json

SOURCES = Path("models/sources/sources.json")
BLOCK = Path("metrics/cross_validation.json")


def main() -> None:
    count, repeats, lambdas, resamples, confidence = params.read(
        "evaluate.folds", "evaluate.repeats", "evaluate.lambdas", "evaluate.resamples", "evaluate.confidence"
    )
    if not count:
        leave({"cross_validation": None})
        return
    target, network, recipe, training, augment, weight, seed = params.read(
        "target", "network", "finetune", "training", "augment", "lambda", "seed"
    )
    from graft import cross_validation, folds, split
    from graft.domain import Domain
    from graft.model import load, pick_device
    from graft.seeds import generator
    from graft.trials import Trials

    domain, device = Domain.read(Path("data/processed") / target), pick_device(training.device)
    rows, validation = split.pooled(split.read(Path(f"data/splits/{target}.csv"), domain.index), domain.index)
    trials = Trials("cross_validate", domain, network, recipe, training, augment, device)
    sources = {name: load(Path(folder), device) for name, folder in read_json(SOURCES).items()}
    offered = folds.candidates(sources, lambdas or [weight])
    found = folds.train(trials, rows, count, repeats, validation, offered, seed)
    random = generator(seed, "bootstrap", target, "cross-validation")
    block = cross_validation.assemble(domain, found, offered, resamples, confidence, random)
    leave(block)
    for line in cross_validation.lines(block):
        say(line)


def leave(block: dict) -> None:
    """Write the JSON file."""
    with whole_file(BLOCK) as path:
        write_json(path, block)


if __name__ == "__main__":
    run(main)
