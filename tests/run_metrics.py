"""The JSON documents of a run, written by hand with every block.

The main numbers are those of a run with default parameters.
"""

from graft.statistics.verdict import decide, verdict

CHAIN = ("scratch", "transfer", "regularized", "bagging", "boosting")
BASELINES = ("majority", "size_alone")
AUROC = {
    "scratch": (0.555, 0.519),
    "transfer": (0.744, 0.795),
    "regularized": (0.793, 0.771),
    "bagging": (0.805, 0.786),
    "boosting": (0.806, 0.776),
    "majority": (0.5, 0.5),
    "size_alone": (0.303, 0.352),
}  # on test and external
SIZES = {
    "train": {"lesions": 65, "patients": 42},
    "validation": {"lesions": 36, "patients": 20},
    "test": {"lesions": 62, "patients": 41},
    "external": {"lesions": 47, "patients": 37},
}
TESTS = ("test", "external")
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
MARGIN = 0.05
CANDIDATE = {"source": "lung", "strategy": "l2-sp", "lambda": 0.01}
CONFIDENCE = 0.95


def estimate(value: float, half_width: float = 0.12) -> dict:
    """A score with its interval, which ends at 0 and 1."""
    return {
        "value": value,
        "low": round(max(value - half_width, 0.0), 6),
        "high": round(min(value + half_width, 1.0), 6),
        "left_out": 0,
    }


def gain(value: float, half_width: float = 0.15, p: float = 0.027, **more: object) -> dict:
    """A difference with its interval."""
    found = {
        "value": value,
        "low": round(value - half_width, 6),
        "high": round(value + half_width, 6),
        "p": p,
        "left_out": 0,
    }
    return found | more


def undefined() -> dict:
    """A score that none of 2,000 resamples defines."""
    return {"value": None, "low": None, "high": None, "left_out": 2000}


def metrics_document(classes: list[str]) -> dict:
    """metrics.json with every block."""
    curve = learning_curve()
    gains = {name: gains_over_scratch(name) for name in CHAIN}
    decision = decide(gains["transfer"]["test"], curve, MARGIN, CONFIDENCE)
    baselines = {name: model(name, classes) for name in BASELINES}
    return decision | {
        "schema_version": 6,
        "bootstrap": {
            "unit": "patient",
            "resamples": 2000,
            "confidence": CONFIDENCE,
            "interval": "bca",
        },
        "margin": MARGIN,
        "source": source_domain(classes),
        "target": {
            "name": "liver",
            "counts": counts(classes),
            "gain_over_size": {"test": gain(0.502), "external": gain(0.434)},
        },
        "validated": {"by": "part", "folds": None, "patients": 20, "lesions": 36},
        "models": {name: model(name, classes) for name in CHAIN},
        "baselines": baselines | {"covariates_only": None},
        "transfer_gain": {name: gains[name] for name in CHAIN if name != "scratch"},
        "boosting_alphas": [1.2, 0.4],
        "ensembles": ensembles(),
        "tasks": tasks(),
        "chosen": {"model": "bagging", "by": "validation log loss"},
        "ablation": ablation(),
        "checks": [passed_check()],
        "hashes": hashes(),
        "sources": sources(),
        "learning_curve": curve,
        "cross_validation": cross_validation(),
        "subgroups": subgroups(),
        "conformal": conformal(classes),
        "refusals": refusals(),
        "privacy": None,
        "patient_effect": patient_effect(),
    }


def conformal(classes: list[str]) -> dict:
    """Coverage is as wanted on the test part, and fails for the first class at the other site."""
    found = {"model": "bagging", "miscoverage": 0.1}
    found["classes"] = {name: {"cases": 36, "quantile": 0.7} for name in classes}
    for part in TESTS:
        coverage = {name: estimate(0.91, 0.08) for name in classes}
        scores = {"set_size": estimate(1.0, 0.1), "not_one_class": estimate(0.4)}
        found[part] = {"coverage": coverage, **scores, "empty": estimate(0.0)}
    found["external"]["coverage"][classes[0]] = estimate(0.7, 0.1)
    return found


def refusals() -> dict:
    """Few are refused on the test part, and a third at the other site."""
    checks = ("spacing", "intensities", "features")
    few = {"any": estimate(0.02), **{check: estimate(0.01) for check in checks}}
    return {"model": "bagging", "test": few, "external": few | {"any": estimate(0.33)}}


def patient_effect() -> dict:
    """Distinguishable, and one known lesion adds something."""
    scores = {"without": estimate(0.55), "with": estimate(0.5), "difference": gain(-0.05, 0.02)}
    return {
        "sd": 2.1,
        "interval": [0.8, None],
        "confidence": CONFIDENCE,
        "p": 0.004,
        "distinguishable": True,
        "applied_sd": 1.5,
        "patients": 20,
        "patients_with_several": 9,
        "gain": {"patients": 12, "pairs": 40, "log_loss": scores, "auroc": scores},
        "sentence": "Lesions of one patient resemble each other beyond what the model sees.",
    }


def ensembles() -> dict:
    """Gains of ensembles; the deep one from scratch was predicted on the test part alone."""
    scores = {"auroc": estimate(0.81), "gain": gain(0.012, 0.02)}
    several = {"members": 5, "test": scores, "external": scores}
    averaged = {**several, "over": "the mean of its members"}
    started = {**several, "over": "regularized"}
    return {
        "bagging": started,
        "boosting": started,
        "deep": averaged,
        "deep_scratch": {**averaged, "external": None},
    }


def model(name: str, classes: list[str]) -> dict:
    two_classes = len(classes) == 2
    found = {
        "threshold": 0.479551 if two_classes else None,
        "validation": dict.fromkeys(("auroc", *SCORES), 0.6),
        "calibration": calibration(),
        "operating_points": operating_points() if two_classes else None,
    }
    for part, auroc in zip(TESTS, AUROC[name], strict=True):
        found[part] = scores_of_part(auroc, classes)
    return found


def scores_of_part(auroc: float, classes: list[str]) -> dict:
    shares = {"recall": 0.75, "specificity": 0.75, "precision": 0.75, "f1": 0.75}
    found = {score: estimate(0.6) for score in SCORES}
    found["auroc"] = estimate(auroc)
    found["ece"] = {"value": 0.2}
    found["per_class"] = dict.fromkeys(classes, shares)
    found["macro"] = shares
    found["confusion"] = {actual: confusion_row(actual, classes) for actual in classes}
    return found


def confusion_row(actual: str, classes: list[str]) -> dict:
    """Of 28 lesions with two classes, 21 are predicted correctly."""
    row = dict.fromkeys(classes, 7)
    row[actual] = 21
    return row


def calibration() -> dict:
    before = losses(0.71)
    after = losses(0.58)
    kinds = {"before": before, "temperature": after, "isotonic": after}
    return {"temperature": 1.73, "parts": dict.fromkeys(TESTS, kinds)}


def losses(log_loss: float) -> dict:
    return {
        "log_loss": estimate(log_loss),
        "brier": estimate(log_loss / 3),
        "ece": {"value": log_loss / 5},
    }


def operating_points() -> dict:
    scores = {
        "sensitivity": estimate(0.86),
        "specificity": estimate(0.41),
        "precision": estimate(0.55),
    }
    point = {
        "wanted": 0.9,
        "threshold": 0.31,
        "validation": {"sensitivity": 0.91, "specificity": 0.92},
        "test": scores,
        "external": scores,
    }
    return {"sensitivity": point, "specificity": point}


def gains_over_scratch(name: str) -> dict:
    found = {}
    for part, auroc, reference in zip(TESTS, AUROC[name], AUROC["scratch"], strict=True):
        found[part] = gain(
            round(auroc - reference, 3),
            p_holm=0.04,
            delong={"low": 0.03, "high": 0.35, "p": 0.021},
            non_inferior=True,
            patients_needed=None,
        )
    return found


def source_domain(classes: list[str]) -> dict:
    aurocs = {part: {"auroc": estimate(0.853)} for part in TESTS}
    return {
        "name": "lung",
        "counts": counts(classes),
        "pretrained": aurocs,
        "size_alone": aurocs,
        "gain_over_size": {part: gain(0.158) for part in TESTS},
    }


def counts(classes: list[str]) -> dict:
    by_class = {label: {"patients": 19, "lesions": 22} for label in classes}
    return {part: size | {"by_class": by_class} for part, size in SIZES.items()}


def ablation() -> dict:
    aurocs = {part: {"auroc": estimate(0.8)} for part in TESTS}
    gains = {part: gain(0.1) for part in TESTS}
    return {
        "both": aurocs,
        "image_only": aurocs,
        "covariates_only": aurocs,
        "gain_of_image": gains,
        "gain_of_covariates": gains,
    }


def passed_check() -> dict:
    return {
        "name": "patients",
        "domain": "liver",
        "looked_at": "140 patients in 4 parts",
        "found": "none in two parts",
        "passed": True,
    }


def hashes() -> dict:
    files = {"images": SHA, "index": SHA, "split": SHA}
    weights = dict.fromkeys(("pretrained", *CHAIN), SHA)
    return {"source": files, "target": files, "models": weights}


def sources() -> dict:
    """The block of the ranking of the sources, with its outcome."""
    distance = {
        "source": "lung",
        "lesions": 289,
        "frechet": 4.31,
    }
    ranking = [
        {"source": "lung", "logme": -0.61},
        {"source": "random", "logme": -0.66},
    ]
    outcomes = [
        {"source": "lung", "auroc": 0.744},
        {"source": "random", "auroc": 0.555},
    ]
    outcome = {
        "by": "AUROC, test",
        "outcomes": outcomes,
        "logme_tau": 1.0,
    }
    return {"target": "liver", "distances": [distance], "ranking": ranking, "came_true": outcome}


def learning_curve() -> dict:
    points = [
        learning_point(0.1, patients=6.3, scratch=0.51, transfer=0.66),
        learning_point(0.5, patients=31, scratch=0.53, transfer=0.71),
        learning_point(1.0, patients=62, scratch=0.555, transfer=0.744),
    ]
    saved = labels_saved("between shares")
    return {"strategy": "l2-sp", "draws": 3, "points": points, "labels_saved": saved}


def learning_point(share: float, patients: float, scratch: float, transfer: float) -> dict:
    arms = {"scratch": scratch, "l2-sp": transfer, "frozen": 0.6}
    return {
        "share": share,
        "patients": patients,
        "lesions": round(patients * 1.6),
        "arms": {arm: {"auroc": estimate(auroc), "draw_sd": 0.03} for arm, auroc in arms.items()},
        "gain": {
            "l2-sp": learning_gain(transfer - scratch),
            "frozen": learning_gain(0.6 - scratch),
        },
    }


def learning_gain(difference: float) -> dict:
    found = gain(difference, 0.1, draw_sd=0.04)
    return found | {"verdict": verdict(found)}


def labels_saved(reached: str) -> dict:
    return {
        "of": 62.0,
        "reached": reached,
        "needed": {"value": 14.2, "low": 8.0, "high": None},
        "saved": {"value": 47.8, "low": None, "high": 54.0},
    }


def cross_validation() -> dict:
    return {
        "folds": 5,
        "repeats": 2,
        "patients": 103,
        "lesions": 163,
        "models": {"scratch": cross_validated(0.61), "transfer": cross_validated(0.7)},
        "gain": gain(0.09, 0.1, 0.08, seed_sd=0.02, by_repeat=[0.08, 0.1]),
        "verdict": "no difference shown",
        "candidates": [candidate(0.01, chosen=7), candidate(0.1, chosen=3)],
        "selection": {
            "default": CANDIDATE,
            "over_default": gain(-0.01, 0.05, 0.4),
            "best": CANDIDATE,
            "regret": 0.01,
        },
        "choices": [choice(repeat, fold) for repeat in (1, 2) for fold in range(1, 6)],
    }


def cross_validated(auroc: float) -> dict:
    return {"auroc": estimate(auroc, 0.08), "seed_sd": 0.02, "by_repeat": [auroc, auroc + 0.01]}


def candidate(strength: float, chosen: int) -> dict:
    return {
        **CANDIDATE,
        "lambda": strength,
        "validation_log_loss": 0.61,
        "auroc": estimate(0.71),
        "chosen": chosen,
        "choice_over_it": gain(-0.01, 0.05, 0.4),
    }


def choice(repeat: int, fold: int) -> dict:
    return {"repeat": repeat, "fold": fold, **CANDIDATE}


def subgroups() -> dict:
    """Four groups on each part; the first one has a flagged gap, the second one no scores."""
    groups = [
        ("size", "6.1 to 11.0"),
        ("size", "11.0 to 24.0"),
        ("sex", "F"),
        ("site", "<b>a & b</b>"),
    ]
    rows = [subgroup(part, by, group) for part in TESTS for by, group in groups]
    rows[0] |= {"gap": gain(-0.31, 0.1, 0.002, p_holm=0.008), "flagged": True}
    rows[1] |= {"auroc": None, "sensitivity": None, "specificity": None, "gap": None}
    return {"model": "bagging", "rows": rows}


def subgroup(part: str, by: str, group: str) -> dict:
    return {
        "by": by,
        "group": group,
        "part": part,
        "patients": 20,
        "lesions": 31,
        "auroc": estimate(0.71),
        "sensitivity": estimate(0.7),
        "specificity": estimate(0.6),
        "gap": gain(-0.1, p_holm=0.11),
        "flagged": False,
    }


def tasks() -> dict:
    """The classes and a rating of the source, and a task that was not trained alone."""
    return {
        "weighting": "equal",
        "rows": [
            task("label", "category", "auroc", gain(0.02)),
            task("rating", "ordinal", "concordance", gain(-0.01)),
            task("volume", "number", "r_squared", None),
        ],
    }


def task(name: str, kind: str, score: str, gained: dict | None) -> dict:
    found = {
        "lesions": 60,
        "patients": 40,
        "together": estimate(0.7),
        "alone": estimate(0.68) if gained else None,
        "gain": gained,
        "mean_absolute_error": estimate(0.9) if kind == "number" else None,
    }
    return {"name": name, "kind": kind, "score": score, "test": found, "external": None}
