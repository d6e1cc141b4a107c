"""The parameters that stages used, from DVC's lock files."""

from pathlib import Path

import pytest

from graft.common.files import InputError
from graft.common.lock_files import producers, read_lock, stage_names, used_parameters

LOCK = """\
schema: '2.0'
stages:
  parameters:
    cmd: check
    params:
      params.yaml:
        lambda: 1e-05
        domains: {lung: {path: a, covariates: {}}}
    outs: [{path: checked.txt}]
  preprocess@lung:
    deps: [{path: a}, {path: checked.txt}]
    params:
      params.yaml: {domains.lung.path: a, domains.lung.covariates: {}}
    outs: [{path: processed/lung}]
  train:
    deps: [{path: processed}]
    params:
      params.yaml: {lambda: 0.00001}
    outs: [{path: models/weights}]
  report:
    deps: [{path: models/weights}]
    params:
      params.yaml: {lambda: 0.5}
    outs: [{path: report.html}]
"""
USED = {"lambda": 1e-5, "domains": {"lung": {"path": "a", "covariates": {}}}}


@pytest.fixture
def lock(tmp_path) -> Path:
    path = tmp_path / "dvc.lock"
    path.write_text(LOCK)
    return path


def test_the_stages_behind_a_result_are_those_that_wrote_it_and_what_they_read(lock):
    behind = producers(read_lock(lock), ["models"])
    assert set(behind) == {"train", "preprocess@lung", "parameters"}  # not the report before
    assert used_parameters(behind, "params.yaml") == USED


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lambda: 0.00001", "lambda: 1", "lambda: train used 1 and parameters used 1e-05, exp"),
        ("lung.path: a", "lung.path: b", "domains.lung.path: .*, expected one value; run `dvc rep"),
        ("covariates: {}}\n    outs", "covariates: {age: x}}\n    outs", "lung.covariates.age: "),
        ("lung.path: a", "lung.more: 1", "domains.lung.more: .* used no value and preprocess@lung"),
    ],
)
def test_two_values_of_one_parameter_are_an_error(lock, old, new, message):
    lock.write_text(LOCK.replace(old, new))
    with pytest.raises(InputError, match=f"^params.yaml: .*{message}") as refused:
        used_parameters(producers(read_lock(lock), ["models"]), "params.yaml")
    assert "\n" not in str(refused.value)


def test_a_result_of_no_stage_is_an_error(lock, tmp_path):
    with pytest.raises(InputError, match="^metrics: no lock file has the stage .*`dvc repro`"):
        producers(read_lock(lock), ["models", "metrics"])
    assert read_lock(tmp_path / "missing.lock") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stages:",
        "stages: [1]",
        "stages: {a: 1}",
        "stages: {a: {deps: 1}}",
        "stages: {a: {outs: [{md5: 1}]}}",
        "stages: {a: {params: {params.yaml: [x]}}}",
        LOCK[:200],
    ],
)
def test_a_damaged_lock_file_is_one_line(lock, text):
    lock.write_text(text)
    with pytest.raises(InputError, match=r"dvc\.lock: ") as refused:
        used_parameters(producers(read_lock(lock), ["models"]), "params.yaml")
    assert "\n" not in str(refused.value)


def test_stages_are_those_of_dvc_yaml_with_these_parameters(tmp_path):
    path = tmp_path / "dvc.yaml"
    path.write_text(
        "stages:\n"
        "  one: {cmd: x}\n"
        "  of: {foreach: '${domains.all}', do: {cmd: x}}\n"
        "  each: {foreach: '${ domains.more }', do: {cmd: x}}\n"
        "  two: {foreach: [a, b], do: {cmd: x}}\n"
        "  named: {foreach: {c: {start: 1}}, do: {cmd: x}}\n"
    )
    parameters = {"domains": {"all": {"lung": {"path": "a"}}, "more": []}}
    found = stage_names(path, parameters)
    assert found == {"one", "of@lung", "two@a", "two@b", "named@c"}
