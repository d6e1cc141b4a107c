"""Versions in MLflow, in a real database if MLflow is installed."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from graft.registry.tracking import scores_of
from tests.graft.registry.project import done, refused, run_again, tag

needs_mlflow = pytest.mark.skipif(
    find_spec("mlflow") is None, reason="needs MLflow: pip install mlflow-skinny"
)


def test_scores_have_their_intervals_beside_them():
    interval = {"value": 0.8, "low": 0.7, "high": None, "left_out": 0}
    metrics = {
        "models": {
            "bagging": {
                "threshold": 0.4,
                "validation": {"auroc": 0.75},
                "test": {"auroc": interval, "ece": {"value": 0.1}, "per_class": {"a": {"f1": 1}}},
                "external": None,
            }
        },
        "transfer_gain": {"bagging": {"test": interval | {"p": 0.02}, "external": None}},
    }
    assert dict(scores_of(metrics, "bagging")) == {
        "validation.auroc": 0.75,
        "test.auroc": 0.8,
        "test.auroc.low": 0.7,
        "test.ece": 0.1,
        "test.gain": 0.8,
        "test.gain.low": 0.7,
    }


def test_without_mlflow_it_is_one_line(project, monkeypatch):
    tag(project, "diagnosis@v1.0.0", 1)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    message = refused("log-mlflow", "sqlite:///mlflow.db")
    assert message == "error: MLflow is not installed; run `pip install mlflow-skinny`"


def test_there_must_be_such_a_version(project):
    assert "no version to log" in refused("log-mlflow", "sqlite:///mlflow.db")
    tag(project, "diagnosis@v1.0.0", 1)
    message = refused("log-mlflow", "sqlite:///mlflow.db", "--version", "v2.0.0")
    assert "--version: got v2.0.0, expected one of v1.0.0" in message


@needs_mlflow
def test_versions_and_their_stages_reach_mlflow(project, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    tag(project, "diagnosis@v1.0.0", 1)
    tag(project, "diagnosis#production#1", 1)
    weights = (project / "models/best/weights.safetensors").read_bytes()
    run_again(project, auroc=0.9)
    tag(project, "diagnosis@v1.1.0", 2)
    tag(project, "diagnosis#production#2", 2)
    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(project)
    assert "production: v1.1.0 is not in MLflow" in done("log-mlflow", "--version", "v1.0.0")
    assert "v1.1.0 logged" in done("log-mlflow")
    assert done("log-mlflow").splitlines() == ["v1.1.0 is in MLflow already", "production: v1.1.0"]
    done("rollback", "production")
    assert "production: v1.0.0" in done("log-mlflow")

    client = MlflowClient(store, store)
    used = client.get_model_version_by_alias("diagnosis", "production")
    run = client.get_run(used.run_id)
    assert run.data.params == {"lambda": "0.01"}
    assert run.data.metrics["test.auroc"] == 0.8
    assert run.data.metrics["test.auroc.high"] == 0.9
    assert run.data.tags["graft.verdict"] == "helps"
    saved = Path(used.source.removeprefix("file://"))
    assert (saved / "weights.safetensors").read_bytes() == weights
    assert len(client.search_model_versions("name = 'diagnosis'")) == 2


@needs_mlflow
def test_a_server_that_fails_is_one_line(project):
    tag(project, "diagnosis@v1.0.0", 1)
    assert refused("log-mlflow", "nonsense://x").startswith("error: MLflow: ")
