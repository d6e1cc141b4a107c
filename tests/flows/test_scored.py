"""Publishing predictions and drift to a folder and to a bucket: once, whatever is interrupted."""

import json
import logging
import re
import socket
from pathlib import Path

import fsspec
import pytest
from prefect.events.schemas.automations import AutomationCore
from ruamel.yaml import YAML

from flows import scored
from flows.scored import (
    earlier_predictions,
    file_name,
    index_runs,
    publish_scores,
    scored_keys,
)
from graft.common.files import InputError
from tests.flows.seen import published_files

ROOT = Path(__file__).parents[2]
MODEL = "1" * 64
OTHER = "2" * 64


@pytest.fixture
def shown(monkeypatch) -> dict[str, list]:
    """What is shown in Prefect and sent as events, collected so that it runs without a flow."""
    found: dict[str, list] = {"artifacts": [], "events": []}
    for name in ("create_link_artifact", "create_markdown_artifact", "create_table_artifact"):
        monkeypatch.setattr(scored, name, lambda key, **_: found["artifacts"].append(key))
    monkeypatch.setattr(scored, "emit_event", lambda name, **given: found["events"].append(given))
    monkeypatch.setattr(scored, "get_run_logger", lambda: logging.getLogger("test"))
    return found


@pytest.fixture(params=["folder", "bucket"])
def destination(request, tmp_path) -> str:
    if request.param == "bucket":
        request.getfixturevalue("bucket")
        return "s3://graft/scored"
    return str(tmp_path / "scored")


def document(day: int, keys: str = "", alarm: bool | None = None, model: str = MODEL) -> dict:
    """A run on a day of January that predicted lesions with these digits as keys."""
    rows = []
    for digit in keys:
        row = {"scan": digit * 64, "line": 2, "key": digit * 64}
        rows.append({**row, "probabilities": {}, "measurements": {}, "refused": []})
    test = {"name": "spacing_mm", "topic": "spacing", "test": "KS", "p_holm": 0.0, "is_alarm": True}
    drift = None if alarm is None else {"alarm": alarm, "scans": 20, "tests": [test]}
    return {
        "schema_version": 1,
        "started": f"2026-01-{day:02d}T02:00:00Z",
        "ended": f"2026-01-{day:02d}T02:10:00Z",
        "model": model,
        "predictions": rows,
        "failures": [],
        "drift": drift,
        "no_drift": None if drift else "no new scans",
    }


def write(destination: str, name: str, content: bytes) -> None:
    files, folder = fsspec.url_to_fs(destination)
    files.pipe_file(f"{folder}/{name}", content)


def test_publishing_twice_is_the_same_as_once_and_sends_one_event(destination, shown):
    run = document(1, "ab", alarm=True)
    for _ in range(2):
        publish_scores.fn(run, destination)
        found = published_files(destination)
        name = "20260101T020000Z-111111111111.json"
        assert set(found) == {f"runs/{name}", "scored.json", "latest.json"}
        assert found[f"runs/{name}"] == found["latest.json"] == run
        keys = ["a" * 64, "b" * 64]
        assert found["scored.json"]["runs"] == {name: {"model": MODEL, "keys": keys}}
    [event] = shown["events"]
    assert event["payload"]["tests"] == ["spacing_mm"]
    assert event["resource"]["prefect.resource.id"] == "graft.model.111111111111"


@pytest.mark.parametrize("lost", ["all but the run", "latest.json"])
def test_a_run_that_was_killed_while_publishing_is_completed_by_the_next(destination, shown, lost):
    publish_scores.fn(document(1, "a"), destination)
    before = published_files(destination)
    publish_scores.fn(document(2, "b", alarm=True), destination)
    after = published_files(destination)
    first = shown["events"].copy()
    kept = {"latest.json": before["latest.json"]}
    if lost == "all but the run":  # the kill came before the index was written
        kept["scored.json"] = before["scored.json"]
    for name, content in kept.items():
        write(destination, name, json.dumps(content).encode())
    runs = index_runs(destination)
    assert published_files(destination) == after
    assert scored_keys(runs, MODEL) == {"a" * 64, "b" * 64}
    if lost == "all but the run":
        assert shown["events"] == [*first, *first]  # the same identifier: Prefect keeps one
    else:
        assert shown["events"] == first


def test_an_event_has_the_same_identifier_when_it_is_sent_again(destination, shown):
    publish_scores.fn(document(1, "a", alarm=True), destination)
    files, folder = fsspec.url_to_fs(destination)
    files.rm(f"{folder}/scored.json")  # it is made again from the runs
    index_runs(destination)
    first, second = shown["events"]
    assert first["id"] == second["id"]
    assert published_files(destination)["scored.json"]["runs"].keys() == {file_name(document(1))}


def test_a_quiet_night_is_published_without_an_event(destination, shown):
    publish_scores.fn(document(1, "a", alarm=False), destination)
    publish_scores.fn(document(2), destination)
    assert shown["events"] == []
    assert published_files(destination)["latest.json"] == document(2)


def test_what_one_model_scored_is_new_to_another(destination, shown):
    publish_scores.fn(document(1, "ab"), destination)
    publish_scores.fn(document(2, "c", model=OTHER), destination)
    runs = index_runs(destination)
    assert scored_keys(runs, MODEL) == {"a" * 64, "b" * 64}
    assert scored_keys(runs, OTHER) == {"c" * 64}


def test_the_last_nights_are_read_until_they_have_enough_scans(destination, shown):
    for day, keys in enumerate(["ab", "cd", "", "ef"], start=1):
        publish_scores.fn(document(day, keys), destination)
    publish_scores.fn(document(5, "9", model=OTHER), destination)
    runs = index_runs(destination)
    nights = []
    for rows in earlier_predictions(runs, MODEL, destination, 3):
        nights.append([row["scan"][0] for row in rows])
    assert nights == [["e", "f"], ["c", "d"]]


@pytest.mark.parametrize("content", [b'{"runs": {"', b""])
def test_a_damaged_index_is_one_line(destination, shown, content):
    publish_scores.fn(document(1, "a"), destination)
    write(destination, "scored.json", content)
    with pytest.raises(InputError, match="destination: scored.json is no JSON, restore or delete"):
        index_runs(destination)


def test_a_destination_that_is_down_is_one_line(shown, monkeypatch):
    with socket.socket() as free:  # a port on which nothing listens
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(InputError, match=r"^destination: cannot be read \(.*127\.0\.0\.1"):
        index_runs("s3://graft/scored")
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_nothing_is_published_if_a_document_does_not_match_the_schema(destination, shown):
    with pytest.raises(Exception, match="'line' is a required property"):
        run = document(1, "a")
        del run["predictions"][0]["line"]
        publish_scores.fn(run, destination)
    assert published_files(destination) == {}


def test_the_automation_in_the_documentation_waits_for_the_alarm():
    page = (ROOT / "docs/prefect.md").read_text()
    [block] = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    automation = AutomationCore.model_validate(YAML(typ="safe").load(block))
    assert automation.trigger.expect == {scored.ALARM}
