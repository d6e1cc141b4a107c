import numpy as np
import pandas as pd

from graft.common.documents import check_schema
from graft.familiarity import refusals
from graft.familiarity.familiar import Reason
from graft.familiarity.refusals import refusals_block
from graft.statistics.cases import Cases


def test_a_lesion_with_several_reasons_is_refused_once():
    rows = pd.DataFrame({"sample": range(4), "patient": [*"abcd"], "label": ["benign"] * 4})
    cases = {"test": Cases.of(rows, ["benign"], 100, np.random.default_rng(0))}
    thick = [Reason("spacing", "R"), Reason("spacing", "S")]
    reasons = {"test": [thick, [], [Reason("features", ""), thick[0]], []]}
    block = refusals_block("bagging", reasons, cases, 0.95)
    check_schema(block, refusals.SCHEMA)
    values = {name: found["value"] for name, found in block["test"].items()}
    assert values == {"any": 0.5, "spacing": 0.5, "intensities": 0.0, "features": 0.25}
    assert block["external"] is None
