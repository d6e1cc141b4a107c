"""Learning curve: does transfer help with few labels, does it with many, and how many does it save?"""

from pathlib import Path

from graft import params
from graft.console import run, say
from graft.files import whole_file, write_json

PRETRAINED = Path("models/pretrained")
BLOCK, TABLE = Path("metrics/learning_curve.json"), Path("metrics/learning_curve.csv")


def main() -> None:
    wanted = params.read("learning_curve")
    if not wanted.draws:
        leave({"learning_curve": None}, "share,patients,model,auroc,low,high\n")
        return
    target, network, recipe, training, augment, weight, seed, resamples, confidence = params.read(
        "target", "network", "finetune", "training", "augment", "lambda", "seed",
        "evaluate.resamples", "evaluate.confidence",
    )  # fmt: skip
    from graft import draws, learning_curve, split
    from graft.domain import Domain
    from graft.judge import Cases
    from graft.model import load, pick_device
    from graft.seeds import generator
    from graft.trials import Source, Trials

    domain, device = Domain.read(Path("data/processed") / target), pick_device(training.device)
    parts = split.read(Path(f"data/splits/{target}.csv"), domain.index)
    trials = Trials("learning_curve", domain, network, recipe, training, augment, device)
    source = Source(PRETRAINED.name, load(PRETRAINED, device), weight)
    points = draws.train(trials, parts, sorted({*wanted.shares, 1.0}), wanted.draws, source, seed)
    tested = domain.index.iloc[parts["test"]]
    cases = Cases.of(tested, domain.classes, resamples, generator(seed, "bootstrap", target, "test"))
    block = learning_curve.assemble(points, cases, confidence, generator(seed, "bootstrap", target, "draws"))
    leave(block, learning_curve.table(block).to_csv(index=False, lineterminator="\n"))
    for line in learning_curve.lines(block):
        say(line)


def leave(block: dict, table: str) -> None:
    """Write the JSON file, and the table that DVC plots."""
    with whole_file(BLOCK) as path:
        write_json(path, block)
    with whole_file(TABLE) as path:
        path.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    run(main)
