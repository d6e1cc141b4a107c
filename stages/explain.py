"""Explain: where the best model looked, whether that points at the lesions, and what worse images cost it."""

from pathlib import Path

import numpy as np
import pandas as pd

from graft import params, split
from graft.console import run, say
from graft.domain import Domain
from graft.explain import NAMES, describe_saliency, hardest, lines, show
from graft.files import InputError, read_json, whole_folder, write_json
from graft.maps import draw
from graft.model import load, pick_device
from graft.robustness import curves, robustness, weakest

METRICS, BEST, EXPLAIN = Path("metrics"), Path("models/best"), Path("metrics/explain")


def main() -> None:
    seed, target, resamples, confidence, explain, device = params.read(
        "seed", "target", "evaluate.resamples", "evaluate.confidence", "explain", "training.device"
    )
    domain = Domain.read(Path(f"data/processed/{target}"))
    parts = split.read(Path(f"data/splits/{target}.csv"), domain.index)
    rows = np.concatenate([parts[part] for part in split.TESTS if part in parts])
    model = load(BEST, pick_device(device))
    name = read_json(METRICS / "metrics.json")["chosen"]["model"]
    try:
        words = dict.fromkeys(("label", "model", "predicted"), str)
        predictions = pd.read_csv(METRICS / "predictions.csv", dtype=words, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{METRICS / 'predictions.csv'}: cannot be read as a table ({error})") from error
    drawn = resamples, confidence, seed

    shown = show(model, domain, hardest(predictions, name, domain.classes, explain.cases))
    found = describe_saliency(name, model, domain, rows, shown, *drawn)
    worn = robustness(name, model, domain, parts["test"], *drawn)
    with whole_folder(EXPLAIN) as folder:
        (folder / "maps").mkdir()
        for row, case in enumerate(found["cases"]):
            image, region = domain.images[case["sample"]], None if shown.regions is None else shown.regions[row]
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
