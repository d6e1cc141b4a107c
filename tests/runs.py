"""A run's metrics with every block there is, made by hand; its leading numbers are those of the default run."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graft.statistics import curves
from graft.statistics.verdict import decide

CHAIN = ("scratch", "transfer", "regularized", "bagging", "boosting")
AUROC = {
    "scratch": (0.555, 0.519),
    "transfer": (0.744, 0.795),
    "regularized": (0.793, 0.771),
    "bagging": (0.805, 0.786),
    "boosting": (0.806, 0.776),
    "majority": (0.5, 0.5),
    "size_alone": (0.303, 0.352),
}
TESTS = {"test": (62, 41), "external": (47, 37)}  # lesions, patients
SCORES = (
    "auprc",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "brier",
    "log_loss",
    "ece",
)
SHA = "ffd569f3565a8689bd2bb0c6b6f76488544c6080547201430741b948c3c88320"


def est(value: float, half: float = 0.12) -> dict:
    low, high = max(value - half, 0.0), min(value + half, 1.0)
    return {"value": value, "low": round(low, 6), "high": round(high, 6), "left_out": 0}


def gain(value: float, half: float = 0.15, p: float = 0.027, **more: object) -> dict:
    low, high = round(value - half, 6), round(value + half, 6)
    return {"value": value, "low": low, "high": high, "p": p, "left_out": 0, **more}


def undefined() -> dict:
    return {"value": None, "low": None, "high": None, "left_out": 2000}


def part(auroc: float, classes: list[str]) -> dict:
    confusion = {true: {said: 21 if true == said else 7 for said in classes} for true in classes}
    shares = {"recall": 0.75, "specificity": 0.75, "precision": 0.75, "f1": 0.75}
    return {
        "auroc": est(auroc),
        **{score: est(0.6) for score in SCORES},
        "per_class": dict.fromkeys(classes, shares),
        "macro": shares,
        "confusion": confusion,
    }


def calibration() -> dict:
    before, after = (
        {"log_loss": est(v), "brier": est(v / 3), "ece": est(v / 5)} for v in (0.71, 0.58)
    )
    parts = {name: {"before": before, "temperature": after, "isotonic": after} for name in TESTS}
    return {"temperature": 1.73, "parts": parts}


def operating_points() -> dict:
    def point(kind: str) -> dict:
        seen = {"sensitivity": est(0.86), "specificity": est(0.41), "precision": est(0.55)}
        validation = {"sensitivity": 0.91, "specificity": 0.92}
        return {
            "wanted": 0.9,
            "threshold": 0.31,
            "validation": validation,
            **dict.fromkeys(TESTS, seen),
        }

    return {kind: point(kind) for kind in ("sensitivity", "specificity")}


def model(name: str, classes: list[str]) -> dict:
    two = len(classes) == 2
    values = dict.fromkeys(("auroc", *SCORES), 0.6)
    found = {"threshold": 0.479551 if two else None, "validation": values}
    return found | {
        name_: part(value, classes) for name_, value in zip(TESTS, AUROC[name], strict=True)
    }


def learning_curve() -> dict:
    points = []
    for share, patients, scratch, transfer in (
        (0.1, 6.3, 0.51, 0.66),
        (0.5, 31, 0.53, 0.71),
        (1.0, 62, 0.555, 0.744),
    ):
        more = transfer - scratch
        points.append(
            {
                "share": share,
                "patients": patients,
                "lesions": round(patients * 1.6),
                "arms": {
                    name: {"auroc": est(v), "draw_sd": 0.03}
                    for name, v in (("scratch", scratch), ("transfer", transfer), ("frozen", 0.6))
                },
                "gain": {name: gain(more, 0.1, draw_sd=0.04) for name in ("transfer", "frozen")},
                "verdict": "helps" if more > 0.1 else "no difference shown",
            }
        )
    needed, saved = (
        {"value": 14.2, "low": 8.0, "high": None},
        {"value": 47.8, "low": None, "high": 54.0},
    )
    found = {"of": 62.0, "reached": "between shares", "needed": needed, "saved": saved}
    return {"draws": 3, "points": points, "labels_saved": found}


def cross_validation() -> dict:
    found = {"source": "lung", "validation_log_loss": 0.61, "auroc": 0.71, "chosen": 7}
    models = {
        name: {"auroc": est(v, 0.08), "seed_sd": 0.02, "by_repeat": [v, v + 0.01]}
        for name, v in (("scratch", 0.61), ("transfer", 0.7))
    }
    return {
        "folds": 5,
        "repeats": 2,
        "patients": 103,
        "lesions": 163,
        "models": models,
        "gain": gain(0.09, 0.1, 0.08, seed_sd=0.02, by_repeat=[0.08, 0.1]),
        "verdict": "no difference shown",
        "candidates": [found | {"lambda": 0.01}, found | {"lambda": 0.1, "chosen": 3}],
        "choices": [
            {"repeat": i // 5 + 1, "fold": i % 5 + 1, "source": "lung", "lambda": 0.01}
            for i in range(10)
        ],
    }


def sources() -> dict:
    return {
        "target": "liver",
        "distances": [
            {
                "source": "lung",
                "lesions": 289,
                "frechet": 4.31,
                "mmd": 0.21,
                "mmd_p": 0.0004,
                "proxy_a": 1.62,
            }
        ],
        "ranking": [
            {"source": "lung", "logme": -0.61, "h_score": 0.32},
            {"source": "random", "logme": -0.66, "h_score": 0.2},
        ],
        "came_true": {
            "by": "AUROC, test",
            "outcomes": [{"source": "lung", "auroc": 0.744}, {"source": "random", "auroc": 0.555}],
            "logme_tau": 1.0,
            "h_score_tau": 1.0,
        },
    }


def subgroups() -> dict:
    rows = []
    for name in TESTS:
        for by, group in (
            ("size", "6.1 to 11.0"),
            ("size", "11.0 to 24.0"),
            ("sex", "F"),
            ("site", "<b>a & b</b>"),
        ):
            rows.append(
                {
                    "by": by,
                    "group": group,
                    "part": name,
                    "patients": 20,
                    "lesions": 31,
                    "auroc": est(0.71),
                    "sensitivity": est(0.7),
                    "specificity": est(0.6),
                    "gap": gain(-0.1, p_holm=0.11),
                    "flagged": False,
                }
            )
    rows[0] |= {"gap": gain(-0.31, 0.1, 0.002, p_holm=0.008), "flagged": True}
    rows[1] |= {"auroc": None, "sensitivity": None, "specificity": None, "gap": None}
    return {"model": "bagging", "rows": rows}


def ablation() -> dict:
    both = {name: {"auroc": est(0.8)} for name in TESTS}
    added = {name: gain(0.1) for name in TESTS}
    known = dict.fromkeys(("both", "image_only", "covariates_only"), both)
    return known | {"gain_of_image": added, "gain_of_covariates": added}


def counts(classes: list[str]) -> dict:
    sizes = {"train": (65, 42), "validation": (36, 20), **TESTS}
    by_class = {label: {"patients": 19, "lesions": 22} for label in classes}
    return {
        name: {"patients": p, "lesions": n, "by_class": by_class} for name, (n, p) in sizes.items()
    }


def metrics(classes: list[str]) -> dict:
    """metrics.json with every block."""
    models = {name: model(name, classes) for name in CHAIN}
    baselines = {name: model(name, classes) for name in ("majority", "size_alone")}
    for found in (*models.values(), *baselines.values()):
        found |= {
            "calibration": calibration(),
            "operating_points": operating_points() if len(classes) == 2 else None,
        }

    def over_scratch(name: str) -> dict:
        delong = {"low": 0.03, "high": 0.35, "p": 0.021}
        more = {"p_holm": 0.04, "delong": delong, "non_inferior": True, "patients_needed": None}
        pairs = zip(TESTS, AUROC[name], AUROC["scratch"], strict=True)
        return {part: gain(round(ours - theirs, 3), **more) for part, ours, theirs in pairs}

    aurocs = {name: {"auroc": est(0.853)} for name in TESTS}
    return decide(over_scratch("transfer")["test"], learning_curve(), 0.05) | {
        "schema_version": 2,
        "bootstrap": {"unit": "patient", "resamples": 2000, "confidence": 0.95, "interval": "bca"},
        "margin": 0.05,
        "source": {
            "name": "lung",
            "counts": counts(classes),
            "pretrained": aurocs,
            "size_alone": aurocs,
            "gain_over_size": {name: gain(0.158) for name in TESTS},
        },
        "target": {"name": "liver", "counts": counts(classes)},
        "models": models,
        "baselines": baselines | {"covariates_only": None},
        "transfer_gain": {name: over_scratch(name) for name in CHAIN[1:]},
        "chosen": {"model": "bagging", "by": "validation log loss"},
        "ablation": ablation(),
        "checks": [
            {
                "name": "patients",
                "domain": "liver",
                "looked_at": "140 patients in 4 parts",
                "found": "none in two parts",
                "passed": True,
            }
        ],
        "hashes": {
            role: dict.fromkeys(("images", "index", "split"), SHA) for role in ("source", "target")
        }
        | {"models": dict.fromkeys(("pretrained", *CHAIN), SHA)},
        "sources": sources(),
        "learning_curve": learning_curve(),
        "cross_validation": cross_validation(),
        "subgroups": subgroups(),
    }


def saliency(count: int) -> dict:
    seen = {
        "tolerance": [1, 1, 1],
        "sampled": 109,
        "lesions": 109,
        "share": est(0.34),
        "pointing_game": est(0.58),
        "by_chance": 0.09,
        "randomised": {"share": est(0.12), "pointing_game": est(0.11)},
        "difference": gain(0.22),
    }
    case = {
        "part": "test",
        "label": "malignant",
        "predicted": "benign",
        "p": 0.12,
        "grad_cam": {"share": 0.31, "hit": True},
        "occlusion": None,
    }
    cases = [case | {"sample": i, "picture": f"maps/{i}.png"} for i in range(count)]
    return {
        "model": "bagging",
        "region": "ball of the diameter",
        "lesions": 109,
        "uniform_share": 0.05,
        "cases": cases,
        "methods": {"grad_cam": seen | {"keeps": False}, "occlusion": seen | {"keeps": True}},
    }


def robustness() -> dict:
    rows = [
        {
            "corruption": name,
            "amount": amount * unit,
            "unit": of,
            "auroc": est(0.8 - amount / 20),
            "drop": gain(amount / 20, 0.06),
        }
        for name, unit, of in (
            ("noise", 0.05, "of the window"),
            ("blur", 1, "mm"),
            ("slice thickness", 2, "mm"),
        )
        for amount in (1, 2, 3)
    ]
    return {"model": "bagging", "part": "test", "auroc": est(0.805), "rows": rows}


def drop_external(found: object) -> object:
    """The same without a site held out: null at every key `external`, and no row of it."""
    if isinstance(found, dict):
        return {
            key: None if key == "external" else drop_external(value) for key, value in found.items()
        }
    if isinstance(found, list):
        kept = (
            item
            for item in found
            if not (isinstance(item, dict) and item.get("part") == "external")
        )
        return [drop_external(item) for item in kept]
    return found


def cases(classes: list[str], parts: list[str]) -> pd.DataFrame:
    """Probabilities of each model for each case, as evaluate writes them."""
    rng, tables = np.random.default_rng(4), []
    for name in parts:
        lesions = TESTS[name][0]
        labels = rng.integers(0, len(classes), lesions)
        for known, aurocs in AUROC.items():
            logits = (
                rng.normal(size=(lesions, len(classes)))
                + 4 * (aurocs[0] - 0.5) * np.eye(len(classes))[labels]
            )
            p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            rows = pd.DataFrame(p.round(8), columns=[f"p_{label}" for label in classes])
            rows["predicted"] = [classes[i] for i in p.argmax(1)]
            rows["label"] = [classes[i] for i in labels]
            rows = rows.assign(
                sample=range(lesions),
                patient="81f845995db91ade",
                part=name,
                site="site-a",
                model=known,
            )
            tables.append(rows)
    return pd.concat(tables, ignore_index=True)


def stacks(predictions: pd.DataFrame, classes: list[str]) -> dict[str, pd.DataFrame]:
    """The tables of plots/, made of these predictions by graft's own curves; decision by its formula."""
    made: dict[str, list[pd.DataFrame]] = {
        "roc": [],
        "precision_recall": [],
        "calibration": [],
        "decision": [],
    }
    at = np.arange(0.01, 1, 0.01)
    for (name, known), rows in predictions.groupby(["part", "model"], sort=False):
        labels, p = (
            rows["label"].map(classes.index).to_numpy(),
            rows[[f"p_{label}" for label in classes]].to_numpy(),
        )
        disease, weight = labels == len(classes) - 1, at / (1 - at)

        def benefit(called: np.ndarray) -> np.ndarray:
            return (called & disease[:, None]).mean(0) - weight * (called & ~disease[:, None]).mean(
                0
            )

        tables = {
            "roc": curves.roc(labels, p),
            "precision_recall": curves.precision_recall(labels, p),
        }
        tables["calibration"] = pd.concat(
            [
                curves.calibration(
                    labels,
                    p**power / (p**power).sum(1, keepdims=True),
                    rows["sample"].to_numpy(),
                    0.95,
                ).assign(calibration=kind)
                for kind, power in (("none", 1.0), ("temperature", 0.6), ("isotonic", 0.8))
            ]
        )
        tables["decision"] = pd.DataFrame(
            {"threshold": at, "net_benefit": benefit(p[:, -1:] >= at)}
        )
        for kind, found in tables.items():
            made[kind].append(found.assign(part=name, model=known))
        if known == "scratch":
            everyone = pd.DataFrame(
                {"threshold": at, "net_benefit": benefit(np.ones((len(p), len(at)), bool))}
            )
            none = everyone.assign(net_benefit=0.0)
            made["decision"] += [
                everyone.assign(part=name, model="all"),
                none.assign(part=name, model="none"),
            ]
    return {kind: pd.concat(found, ignore_index=True) for kind, found in made.items()}


def picture(seed: int) -> bytes:
    written = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (60, 180), dtype=np.uint8)).save(
        written, "PNG"
    )
    return written.getvalue()


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run's files below a folder as evaluate and explain leave them; gives the folder.

    `change` may alter metrics.json, `bare` leaves out every block that may be null or missing.
    """

    def write(
        classes: tuple[str, ...] = ("benign", "malignant"),
        external: bool = True,
        bare: bool = False,
        maps: int = 2,
        change: Callable[[dict], object] = lambda found: None,
    ) -> Path:
        labels = list(classes)
        found, explain = metrics(labels), {"saliency": saliency(maps), "robustness": robustness()}
        if bare:
            empty(found, explain)
        if not external:
            found = drop_external(found)
        change(found)
        folder = tmp_path / "metrics"
        for name in ("plots", "explain/maps"):
            (folder / name).mkdir(parents=True)
        predictions = cases(labels, list(TESTS) if external else ["test"])
        predictions.to_csv(folder / "predictions.csv", index=False)
        for name, table in stacks(predictions, labels).items():
            table.to_csv(folder / f"plots/{name}.csv", index=False)
        contents = {"metrics": found} | {
            f"explain/{name}": block for name, block in explain.items()
        }
        for name, content in contents.items():
            (folder / f"{name}.json").write_text(json.dumps(content))
        for case in explain["saliency"]["cases"]:
            (folder / "explain" / case["picture"]).write_bytes(picture(case["sample"]))
        write_card(tmp_path / "models/best/card.json", labels)
        return folder

    return write


def empty(found: dict, explain: dict) -> None:
    """Every block null, every score that may be undefined undefined."""
    nothing = ("sources", "learning_curve", "cross_validation", "subgroups", "ablation", "margin")
    undecided = decide(dict.fromkeys(("value", "low", "high", "p", "left_out")), None, 0.05)
    found |= dict.fromkeys(nothing) | {"checks": [], "hashes": None} | undecided
    found["source"] |= {"pretrained": None, "gain_over_size": None}
    for known in found["models"].values():
        known |= {"calibration": None, "operating_points": None}
        for name in TESTS:
            known[name]["auroc"] = undefined()
    for parts in found["transfer_gain"].values():
        for name in TESTS:
            parts[name] = undefined() | {
                "p": None,
                "p_holm": None,
                "delong": {"low": None, "high": None, "p": None},
                "non_inferior": None,
                "patients_needed": None,
            }
    unseen = {"share": undefined(), "pointing_game": undefined()}
    explain["saliency"]["methods"]["grad_cam"] |= unseen | {
        "by_chance": None,
        "randomised": unseen,
        "keeps": None,
    }
    explain["saliency"]["methods"]["occlusion"] = None
    explain["saliency"] |= {"region": None, "uniform_share": None, "cases": []}
    row = {"corruption": "noise", "amount": 0.05, "unit": "of the window", "auroc": undefined()}
    explain["robustness"] |= {
        "auroc": undefined(),
        "rows": [row | {"drop": undefined() | {"p": None}}],
    }


def write_card(path: Path, classes: list[str]) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps(
            {
                "stage": "ensemble-bagging",
                "classes": classes,
                "weights_sha256": SHA,
                "architecture": {
                    "name": "resnet",
                    "patch": [32, 32, 32],
                    "channels": 1,
                    "classes": len(classes),
                    "width": 8,
                },
                "data": {"domain": "liver", "train_sha256": SHA, "validation_sha256": SHA},
                "parent": {"folder": "models/regularized", "weights_sha256": SHA},
            }
        )
    )
