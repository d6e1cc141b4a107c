from pathlib import Path

import jsonschema
import numpy as np
import pytest

from graft.common.documents import check_schema, clean

SCHEMA = Path(__file__).parents[3] / "graft/ranking/sources.schema.json"
BLOCK = {
    "target": "liver",
    "distances": [
        {"source": "lung", "lesions": 9, "frechet": 1.5, "mmd": -0.01, "mmd_p": 0.4, "proxy_a": 0}
    ],
    "ranking": [
        {"source": "lung", "logme": 0.1, "h_score": 0.2},
        {"source": "random", "logme": 0.0, "h_score": 0.1},
    ],
}


def test_numbers_are_rounded_and_nan_is_none():
    assert clean({"a": (np.float32(0.5), np.nan), 1: np.int64(2)}) == {"a": [0.5, None], "1": 2}


def test_a_document_that_breaks_its_schema_is_refused():
    check_schema(BLOCK, SCHEMA)
    for spoil in ({"mmd_p": 0}, {"proxy_a": -0.1}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            check_schema(BLOCK | {"distances": [BLOCK["distances"][0] | spoil]}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        check_schema(BLOCK | {"ranking": BLOCK["ranking"][:1]}, SCHEMA)
