"""Real data through the whole chain: lung nodules (LIDC-IDRI) grafted onto adrenal glands (AdrenalMNIST3D).

    python -m benchmarks.real_data --workdir /tmp/graft-real --out real_data.json > real_data.md

Clones the committed HEAD, lays the data out as raw domains (NumPy arrays and a MedMNIST file, docs/data.md) and runs
`dvc repro` with a tenth of the target's labels and with all of them; pretraining runs once. The whole chain runs at
λ = 0.01, and finetune also at 0 and 0.1. All other parameters are those of params.yaml. λ = 0.01 was chosen in advance,
and nothing by the test part. Prints tables in Markdown; --out gets every metrics.json whole.

--data is a folder with lung_lidc/volumes_1mm_32.npz, lung_lidc/nodules.csv and adrenal/adrenalmnist3d.npz. Takes about
half an hour on 2 cores. With --workdir the clone is kept: after an interruption the same command goes on where it stopped.
"""

import argparse
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from benchmarks import clone
from graft.common.files import InputError, read_json, whole_file, write_json
from graft.console import run, say
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.networks.saved import load_model
from graft.statistics.cases import estimates, gain

VARIABLE = "GRAFT_SHARED_DATA"
VOLUMES, NODULES = Path("lung_lidc/volumes_1mm_32.npz"), Path("lung_lidc/nodules.csv")
ADRENAL = Path("adrenal/adrenalmnist3d.npz")
SOURCE, TARGET = "lung", "adrenal"
CHOSEN = 0.01  # the λ whose chain is reported whole, chosen before any test part was read
LAMBDAS = (CHOSEN, 0.0, 0.1)
LABELLED = (0.1, 1.0)  # shares of the target's labels
PUBLISHED = {  # AUROC at 28³ with all labels (Yang et al., MedMNIST v2, Scientific Data 10, 2023)
    "ResNet-18, 3D": 0.827,
    "ResNet-18, ACS": 0.839,
    "auto-sklearn": 0.828,
}


def main(*words: str) -> None:
    arguments = parse(words)
    there(arguments.data)
    with tempfile.TemporaryDirectory(prefix="graft-") as folder:
        folder = (arguments.workdir or Path(folder)).absolute() / "clone"
        folder.parent.mkdir(parents=True, exist_ok=True)
        clone.clone(folder)
        lay_out(arguments.data, folder / "data/raw")
        report = {"commit": clone.commit(folder), "runs": list(chains(folder))}
    if arguments.out:
        with whole_file(arguments.out) as path:
            write_json(path, report)
    for line in tables(report["runs"]):
        say(line)


def parse(
    words: tuple[str, ...], name: str = "real_data", about: str = __doc__
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=about.splitlines()[0]
    )
    default = Path(os.environ.get(VARIABLE) or clone.ROOT.parent / "shared/data")
    parser.add_argument(
        "--data", type=Path, default=default, help="folder of the real data (default: %(default)s)"
    )
    parser.add_argument(
        "--workdir",
        type=Path,
        help="folder to keep the clone in, to go on from after an interruption",
    )
    parser.add_argument("--out", type=Path, help="JSON file for every number")
    return parser.parse_args(words)


def there(data: Path) -> None:
    """Raise InputError where a file of the data is missing."""
    for file in (VOLUMES, NODULES, ADRENAL):
        if not (data / file).is_file():
            raise InputError(
                f"{data / file}: is missing; name the folder of the data by --data or {VARIABLE}"
            )


def lay_out(data: Path, raw: Path) -> None:
    """Write the raw domains; raises InputError where the data is broken."""
    for name in (SOURCE, TARGET):
        (raw / name).mkdir(parents=True, exist_ok=True)
    try:
        with np.load(data / VOLUMES, allow_pickle=False) as arrays:
            volumes, malignant, rows = (
                arrays["volumes"],
                arrays["malignant"],
                arrays["nodule_index"],
            )
        nodules = pd.read_csv(data / NODULES, index_col="nodule_index").loc[rows]
        patients = nodules["lidc_patient_id"].fillna(
            "exam " + nodules["exam_id"]
        )  # an exam is of one patient
        agrees = np.array_equal(nodules["malignant"], malignant)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{data / VOLUMES.parent}: cannot be read as its README says ({error})"
        ) from error
    if not agrees:
        raise InputError(
            f"{data / NODULES}: its column malignant is not that of {VOLUMES.name}, expected the same nodules"
        )
    np.save(raw / SOURCE / "data.npy", volumes)  # (N, 32, 32, 32)
    np.save(raw / SOURCE / "labels.npy", malignant)
    np.save(raw / SOURCE / "groups.npy", patients.to_numpy(str))
    shutil.copyfile(data / ADRENAL, raw / TARGET / ADRENAL.name)


def chains(folder: Path) -> Iterator[dict]:
    """Run the chain for each share of labels, and only finetune for the other λ; DVC does again only what these change."""
    for labelled in LABELLED:
        for weight in LAMBDAS:
            clone.note(f"real_data: labelled {labelled:g}, lambda {weight:g}")
            set_params(folder / "params.yaml", labelled, weight)
            clone.dvc(folder, "repro", *([] if weight == CHOSEN else ["finetune@transfer"]))
            metrics = (
                read_json(folder / "metrics/metrics.json") if weight == CHOSEN else grafted(folder)
            )
            yield {"labelled": labelled, "lambda": weight, "metrics": metrics}


def grafted(folder: Path) -> dict:
    """What metrics.json would say of the grafted network: the same cases, resamples and scores as `evaluate` has."""
    seed, settings = load_model.read("seed", "evaluate", path=folder / "params.yaml")
    split_file = folder / f"data/splits/{TARGET}.csv"
    study = EvaluatedDomain.from_files(folder / "data/processed" / TARGET, split_file, settings.resamples, seed)
    models = {
        init: study.assess(load_model(folder / "models/finetuned" / init)).parts["test"]
        for init in ("scratch", "transfer")
    }
    return {
        "models": {"transfer": {"test": estimates(models["transfer"], settings.confidence)}},
        "transfer_gain": {
            "transfer": {"test": gain(models["transfer"], models["scratch"], settings.confidence)}
        },
    }


def set_params(path: Path, labelled: float, weight: float) -> None:
    """Point params.yaml at the two domains; the split's shares and everything else stay as they are."""
    yaml = YAML()
    content = yaml.load(path)
    split = content["domains"][content["source"]]["split"]
    shares = {"external": None, "test": split["test"], "validation": split["validation"]}
    content["domains"] = {
        SOURCE: _domain(SOURCE, ["benign", "malignant"], {**shares, "labelled": 1.0}),
        TARGET: _domain(TARGET, ["normal", "mass"], {**shares, "labelled": labelled}),
    }
    content |= {"source": SOURCE, "target": TARGET, "lambda": weight}
    content["pretrain"]["source"] = SOURCE
    content["learning_curve"]["draws"] = 0  # benchmarks.evidence trains again and again
    content["preprocess"]["patch"] = [32, 32, 32]
    with whole_file(path) as partial:
        yaml.dump(content, partial)


def _domain(name: str, classes: list[str], split: dict) -> dict:
    raw = {
        "path": f"data/raw/{name}",
        "classes": classes,
        "window": [0, 255],
        "intensity": "window",
    }
    return {**raw, "burned_in": "refuse", "patient_pattern": None, "covariates": {}, "split": split}


def tables(runs: list[dict]) -> Iterator[str]:
    """The report in Markdown."""
    metrics = runs[0]["metrics"]  # of the λ that was chosen, so of a whole chain
    source, counts = metrics["source"], metrics["source"]["counts"]["test"]
    level = f"{metrics['bootstrap']['confidence'] * 100:g} %"
    yield f"Source: lung nodules, the test part: {counts['lesions']} nodules of {counts['patients']} patients never seen.\n"
    yield from _head(f"AUROC ({level} interval)", "gain over size alone", "p")
    beyond = source["gain_over_size"]["test"]
    yield _row(
        "pretrained",
        _estimate(source["pretrained"]["test"]["auroc"]),
        _estimate(beyond, "+"),
        f"{beyond['p']:.3f}",
    )
    yield _row("size alone", _estimate(source["size_alone"]["test"]["auroc"]), "", "")
    for labelled in LABELLED:
        yield from _target_table(
            {r["lambda"]: r["metrics"] for r in runs if r["labelled"] == labelled}, labelled, level
        )
    yield "\nThe adrenal file names no patients: each gland counts as one, so these intervals are somewhat too narrow."


def _target_table(by_lambda: dict[float, dict], labelled: float, level: str) -> Iterator[str]:
    chosen = by_lambda[CHOSEN]
    counts = chosen["target"]["counts"]
    yield (
        f"\nTarget: adrenal glands, the official test part of {counts['test']['lesions']}; {labelled * 100:g} % of the "
        f"labels: {counts['train']['lesions']} to learn from, {counts['validation']['lesions']} to validate on.\n"
    )
    yield from _head(f"AUROC ({level} interval)", "gain over scratch", "p")
    yield _row("scratch", _estimate(chosen["models"]["scratch"]["test"]["auroc"]), "", "")
    for weight in sorted(by_lambda):
        yield _model(f"transfer, λ = {weight:g}", by_lambda[weight], "transfer")
    for name in ("regularized", "bagging", "boosting"):
        yield _model(f"{name}, λ = {CHOSEN:g}", chosen, name)
    yield _row("size alone", _estimate(chosen["baselines"]["size_alone"]["test"]["auroc"]), "", "")
    if labelled == 1:
        for name, auroc in PUBLISHED.items():
            yield _row(f"published: {name}", f"{auroc:.3f}", "", "")
    yield f"\nTransfer at λ = {CHOSEN:g}: {chosen['verdict']}. Best by {chosen['chosen']['by']}: {chosen['chosen']['model']}."


def _model(title: str, metrics: dict, name: str) -> str:
    gain = metrics["transfer_gain"][name]["test"]
    return _row(
        title,
        _estimate(metrics["models"][name]["test"]["auroc"]),
        _estimate(gain, "+"),
        f"{gain['p']:.3f}",
    )


def _estimate(found: dict, sign: str = "") -> str:
    value, low, high = (f"{found[name]:{sign}.3f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _head(*columns: str) -> Iterator[str]:
    yield _row("", *columns)
    yield _row("---", *["---"] * len(columns))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    run(main)
