"""Explain the best model: where it looked, and how its AUROC falls on worse images."""

import numpy as np
from pydantic import Field

from graft.common.files import check_files, check_sha256, read_sealed, whole_folder, write_sealed
from graft.common.parameters import Section, read_parameters
from graft.common.tables import write_csv
from graft.common.vocabulary import TESTS
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.predictions import read_predictions
from graft.data.split import read_split
from graft.explain.document import saliency_document, summarise_saliency
from graft.explain.drawings import draw_maps
from graft.explain.hardest_cases import check_cases, explain_cases, find_hardest_cases
from graft.explain.robustness import (
    measure_robustness,
    robustness_curves,
    summarise_robustness,
)
from graft.explain.saliency import METHODS
from graft.explain.settings import Explain
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.networks.settings import Device
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    target: str
    explain: Explain
    resamples: int = Field(alias="evaluate.resamples")
    confidence: float = Field(alias="evaluate.confidence")
    device: Device = Field(alias="training.device")
    seed: int


def main() -> None:
    """Write metrics/explain: maps of the hardest cases, scores of all maps, and robustness."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    use_deterministic_algorithms()
    domain = Domain.read(paths.processed(parameters.target), paths.VERIFIED)
    parts = read_split(paths.split(parameters.target), domain.index)
    tested = np.concatenate([parts[part] for part in TESTS if part in parts])
    model = load_model(paths.BEST, pick_device(parameters.device))
    metrics = read_sealed(paths.METRICS_DOCUMENT)
    check_files(paths.METRICS_DOCUMENT, metrics, [paths.PREDICTIONS.name])
    name = metrics["chosen"]["model"]
    check_sha256(paths.BEST / "weights.safetensors", metrics["hashes"]["models"][name])
    predictions = read_predictions(
        paths.PREDICTIONS,
        columns=("sample", "part", "label", "model", "predicted"),
        classes=domain.classes,
        text=("part", "label", "model", "predicted"),
    )
    bootstrap = (parameters.resamples, parameters.confidence, parameters.seed)
    cases = find_hardest_cases(predictions, name, domain.classes, parameters.explain.cases)
    check_cases(predictions, name, domain.index, parts)
    explained = explain_cases(model, domain, cases)
    saliency = saliency_document(name, model, domain, tested, explained, *bootstrap)
    robustness = measure_robustness(name, model, domain, parts["test"], *bootstrap)
    spacing = domain.preprocessing.get("spacing")
    maps = {METHODS[method].title: found for method, found in explained.maps.items()}
    with whole_folder(paths.EXPLAIN) as folder:
        (folder / "maps").mkdir()
        for row, case in enumerate(saliency["cases"]):
            image = domain.images[case["sample"]]
            region = None if explained.regions is None else explained.regions[row]
            path = folder / case["picture"]
            draw_maps(path, explained.caption(row), image, maps, row, region, spacing)
        pictures = [case["picture"] for case in saliency["cases"]]
        write_sealed(folder / "saliency.json", saliency, pictures)
        write_sealed(folder / "robustness.json", robustness)
        write_csv(folder / "robustness.csv", robustness_curves(robustness))
    for line in (*summarise_saliency(saliency), *summarise_robustness(robustness)):
        say(line)


if __name__ == "__main__":
    run(main)
