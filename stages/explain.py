"""Explain: where the best model looked, whether that points at the lesions, and what worse images cost it."""

from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError, read_json, whole_folder, write_json
from graft.common.vocabulary import TESTS
from graft.config import load_model
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.split import read_split
from graft.explain.document import NAMES, describe_saliency, hardest, lines, show
from graft.explain.drawings import draw
from graft.explain.robustness import curves, robustness, weakest
from graft.networks.saved import load_model, pick_device

METRICS, BEST, EXPLAIN = Path("metrics"), Path("models/best"), Path("metrics/explain")


def main() -> None:
    seed, target, resamples, confidence, explain, device = load_model.read(
        "seed", "target", "evaluate.resamples", "evaluate.confidence", "explain", "training.device"
    )
    domain = Domain.read(Path(f"data/processed/{target}"))
    parts = read_split(Path(f"data/splits/{target}.csv"), domain.index)
    rows = np.concatenate([parts[part] for part in TESTS if part in parts])
    model = load_model(BEST, pick_device(device))
    name = read_json(METRICS / "metrics.json")["chosen"]["model"]
    try:
        words = dict.fromkeys(("label", "model", "predicted"), str)
        predictions = pd.read_csv(METRICS / "predictions.csv", dtype=words, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{METRICS / 'predictions.csv'}: cannot be read as a table ({error})"
        ) from error
    drawn = resamples, confidence, seed

    shown = show(model, domain, hardest(predictions, name, domain.classes, explain.cases))
    found = describe_saliency(name, model, domain, rows, shown, *drawn)
    worn = robustness(name, model, domain, parts["test"], *drawn)
    with whole_folder(EXPLAIN) as folder:
        (folder / "maps").mkdir()
        for row, case in enumerate(found["cases"]):
            image, region = (
                domain.images[case["sample"]],
                None if shown.regions is None else shown.regions[row],
            )
            maps = {NAMES[method]: maps for method, maps in shown.maps.items()}
            spacing = domain.preprocessing.get("spacing")
            draw(folder / case["picture"], shown.title(row), image, maps, row, region, spacing)
        write_json(folder / "saliency.json", found)
        write_json(folder / "robustness.json", worn)
        curves(worn).to_csv(folder / "robustness.csv", index=False, lineterminator="\n")
    for line in (*lines(found), *weakest(worn)):
        say(line)


if __name__ == "__main__":
    run(main)
