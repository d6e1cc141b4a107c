"""attacks.json of a run, made from attacks that are written by hand."""

from graft.membership.document import attacks_document
from tests.run_metrics import CHAIN, SHA

GUARANTEE = {"epsilon": 1.0, "delta": 1e-5, "auc": 0.731, "tpr": 0.027}


def attack(model: str = "transfer", auc: float = 0.6, bound: dict | None = None) -> dict:
    """What `attack_model` returns with what the stage adds; it succeeds above 0.65."""
    return {
        "model": model,
        "weights_sha256": SHA,
        "domain": "lung" if model == "pretrained" else "liver",
        "unit": "patient",
        "method": "loss threshold",
        "shadows": 0,
        "members": 42,
        "non_members": 41,
        "auc": {"value": auc, "low": round(auc - 0.15, 6), "high": min(1.0, auc + 0.1)},
        "tpr": {"value": 0.02, "low": 0.001, "high": 0.13},
        "fpr": {"value": 0.0, "low": 0.0, "high": 0.086},
        "false_positives": 0,
        "succeeds": auc > 0.65,
        "bound": bound,
    }


def guarantee(below: bool, broken: bool) -> dict:
    """The block `bound` of an attack."""
    return {**GUARANTEE, "below": below, "broken": broken}


def attacks_of_run() -> dict:
    """attacks.json: it succeeds against bagging, and the pretrained network keeps its guarantee."""
    pretrained = attack("pretrained", 0.52, guarantee(below=True, broken=False))
    others = [attack(name, 0.8 if name == "bagging" else 0.6) for name in CHAIN]
    left_out = {"deep": "this run has no such model"}
    return attacks_document([pretrained, *others], left_out, 0.95)
