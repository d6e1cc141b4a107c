from pathlib import Path

import jsonschema
import numpy as np
import pytest

from graft.common.documents import check_schema, clean

SCHEMA = Path(__file__).parents[3] / "graft/ranking/sources.schema.json"
DISTANCE = {
    "source": "lung",
    "lesions": 9,
    "frechet": 1.5,
}
BLOCK = {
    "target": "liver",
    "distances": [DISTANCE],
    "ranking": [
        {"source": "lung", "logme": 0.1},
        {"source": "random", "logme": 0.0},
    ],
}


def test_numbers_are_rounded_and_nan_is_none():
    document = {"a": (np.float32(0.5), np.nan), 1: np.int64(2)}
    assert clean(document) == {"a": [0.5, None], "1": 2}


def test_a_valid_document_is_accepted():
    check_schema(BLOCK, SCHEMA)


@pytest.mark.parametrize("change", [{"frechet": -0.1}, {"lesions": 0}, {"more": 1}])
def test_an_invalid_distance_is_refused(change):
    document = BLOCK | {"distances": [DISTANCE | change]}
    with pytest.raises(jsonschema.ValidationError):
        check_schema(document, SCHEMA)


def test_a_ranking_of_one_source_is_refused():
    document = BLOCK | {"ranking": BLOCK["ranking"][:1]}
    with pytest.raises(jsonschema.ValidationError):
        check_schema(document, SCHEMA)
