"""A document as a run publishes it."""

AUROC = "models.bagging.test.auroc.value"


def auroc(value: float) -> dict:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "left_out": 0}


def model(value: float) -> dict:
    return {"test": {"auroc": auroc(value)}, "external": None}


def document(bagging: float = 0.8, started: str = "2026-01-02T03:04:05Z", **params: object) -> dict:
    """Return a document in which bagging has an AUROC; `params` are added to its parameters."""
    gain = {**auroc(bagging - 0.6), "p": 0.01}
    metrics = {
        "schema_version": 1,
        "models": {"scratch": model(0.6), "bagging": model(bagging)},
        "baselines": {"size_alone": model(0.55), "covariates_only": None},
        "transfer_gain": {"bagging": {"test": gain, "external": None}},
        "chosen": {"model": "bagging", "by": "validation log loss"},
        "verdict": "helps",
    }
    return {
        "schema_version": 1,
        "started": started,
        "ended": "2026-01-02T03:14:05Z",
        "git": {"revision": "0123456789abcdef" * 2 + "01234567", "dirty": False},
        "params": {"lambda": 0.01, "pretrain": {"lr": 0.003}} | params,
        "stages": {"pretrain": {"deps": {"data": "12"}, "outs": {"models": "34"}}},
        "versions": {"python": "3.11", "torch": "2", "dvc": "3"},
        "device": "CPU",
        "metrics": metrics,
    }
