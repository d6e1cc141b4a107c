"""The documents of explain/ and the card of a run, written by hand."""

from tests.run_metrics import SHA, estimate, gain

CORRUPTIONS = {
    "noise": (0.05, "of the window"),
    "blur": (1, "mm"),
    "slice thickness": (2, "mm"),
}  # smallest amount and unit


def saliency_document(cases: int) -> dict:
    """saliency.json: Grad-CAM passes the test with randomised weights, occlusion fails it."""
    return {
        "model": "bagging",
        "region": "ball of the diameter",
        "lesions": 109,
        "uniform_share": 0.05,
        "cases": [saliency_case(sample) for sample in range(cases)],
        "methods": {
            "grad_cam": saliency_method(keeps=False),
            "occlusion": saliency_method(keeps=True),
        },
    }


def saliency_method(keeps: bool) -> dict:
    return {
        "tolerance": [1, 1, 1],
        "sampled": 109,
        "lesions": 109,
        "share": estimate(0.34),
        "pointing_game": estimate(0.58),
        "by_chance": 0.09,
        "randomised": {"share": estimate(0.12), "pointing_game": estimate(0.11)},
        "difference": gain(0.22),
        "keeps": keeps,
    }


def saliency_case(sample: int) -> dict:
    return {
        "sample": sample,
        "picture": f"maps/{sample}.png",
        "part": "test",
        "label": "malignant",
        "predicted": "benign",
        "p": 0.12,
        "grad_cam": {"share": 0.31, "hit": True},
        "occlusion": None,
    }


def robustness_document() -> dict:
    """robustness.json: three corruptions, each in three amounts."""
    rows = []
    for name, (amount, unit) in CORRUPTIONS.items():
        for strength in (1, 2, 3):
            loss = strength / 20
            row = {
                "corruption": name,
                "amount": strength * amount,
                "unit": unit,
                "auroc": estimate(0.8 - loss),
                "drop": gain(loss, 0.06),
            }
            rows.append(row)
    return {"model": "bagging", "part": "test", "auroc": estimate(0.805), "rows": rows}


def card_document(classes: list[str]) -> dict:
    """card.json of the chosen model."""
    architecture = {
        "name": "resnet",
        "patch": [32, 32, 32],
        "channels": 1,
        "classes": len(classes),
        "width": 8,
    }
    return {
        "stage": "ensemble-bagging",
        "classes": classes,
        "weights_sha256": SHA,
        "architecture": architecture,
        "data": {"domain": "liver", "train_sha256": SHA, "validation_sha256": SHA},
        "parent": {"folder": "models/regularized", "weights_sha256": SHA},
    }
