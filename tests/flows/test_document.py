"""The document that a run publishes."""

import json
import os
import subprocess
from datetime import UTC, datetime

import jsonschema
import pytest

from flows.document import (
    assemble_document,
    file_name,
    has_metrics,
    read_entries,
    validate_document,
)
from graft.common.files import InputError
from tests.flows.documents import document

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_document_of_a_small_project_matches_the_schema(project, surroundings):
    (project / "metrics").mkdir()
    (project / "metrics/metrics.json").write_text(json.dumps(document()["metrics"]))
    subprocess.run(["dvc", "repro", "-q"], cwd=project, env=surroundings, check=True)
    entries = read_entries(project, ["lung", "liver", "first", "second", "both"])
    (project / "params.yaml").write_text(
        "lambda: 0.5\nepochs: 9\n"
    )  # the next run is prepared already
    found = assemble_document(project, STARTED, entries)
    assert found["started"] == "2026-01-02T03:04:05Z"
    assert found["params"] == {"lambda": 0.01, "epochs": 5}
    assert found["git"]["dirty"]
    read = found["stages"]["both"]["deps"]
    assert set(read) == {"stage.py", "first.txt", "second.txt"}
    text = json.dumps(found)
    assert str(project) not in text
    assert os.uname().nodename not in text


def test_two_values_of_one_parameter_are_an_error(project):
    used = {"params": {"params.yaml": {"lambda": 0.1}}}
    other = {"params": {"params.yaml": {"lambda": 0.2}}}
    with pytest.raises(InputError, match="params.yaml: lambda: a used 0.1 and b used 0.2, exp"):
        assemble_document(project, STARTED, {"a": used, "b": other})


def test_only_a_run_that_wrote_the_metrics_has_metrics():
    assert has_metrics({"evaluate": {"outs": [{"path": "metrics/metrics.json"}]}})
    assert not has_metrics({"pretrain": {"outs": [{"path": "models"}]}, "no outs": {}})


@pytest.mark.parametrize("change", [{"device": None}, {"started": "yesterday"}, {"more": 1}])
def test_a_document_that_does_not_match_the_schema_is_an_error(change):
    with pytest.raises(jsonschema.ValidationError):
        validate_document(document() | change)


def test_the_file_name_is_made_of_start_and_revision():
    assert file_name(document()) == "20260102T030405Z-0123456789ab.json"
