"""Learning curve: does transfer help with few labels, does it with many, and how many does it save?"""

from pathlib import Path

from graft.common.files import whole_file, write_json
from graft.config import load_model
from graft.console import run, say

PRETRAINED = Path("models/pretrained")
BLOCK, TABLE = Path("metrics/learning_curve.json"), Path("metrics/learning_curve.csv")


def main() -> None:
    wanted = load_model.read("learning_curve")
    if not wanted.draws:
        leave({"learning_curve": None}, "share,patients,model,auroc,low,high\n")
        return
    target, network, recipe, training, augment, weight, seed, resamples, confidence = (
        load_model.read(
            "target",
            "network",
            "finetune",
            "training",
            "augment",
            "lambda",
            "seed",
            "evaluate.resamples",
            "evaluate.confidence",
        )
    )
    from graft.common.seeds import generator
    from graft.data.domain import Domain
    from graft.data.split import read_split
    from graft.evaluation import learning_curve
    from graft.networks.saved import load_model, pick_device
    from graft.repeated.learning_curve import assemble, lines, table, train_learning_curve
    from graft.repeated.trainings import Source, Trials
    from graft.statistics.cases import Cases

    domain, device = Domain.read(Path("data/processed") / target), pick_device(training.device)
    parts = read_split(Path(f"data/splits/{target}.csv"), domain.index)
    trials = Trials("learning_curve", domain, network, recipe, training, augment, device)
    source = Source(PRETRAINED.name, load_model(PRETRAINED, device), weight)
    points = train_learning_curve(
        trials, parts, sorted({*wanted.shares, 1.0}), wanted.draws, source, seed
    )
    tested = domain.index.iloc[parts["test"]]
    cases = Cases.of(
        tested, domain.classes, resamples, generator(seed, "bootstrap", target, "test")
    )
    block = assemble(points, cases, confidence, generator(seed, "bootstrap", target, "draws"))
    leave(block, table(block).to_csv(index=False, lineterminator="\n"))
    for line in lines(block):
        say(line)


def leave(block: dict, table: str) -> None:
    """Write the JSON file, and the table that DVC plots."""
    with whole_file(BLOCK) as path:
        write_json(path, block)
    with whole_file(TABLE) as path:
        path.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    run(main)
