"""Which stages a sweep runs once for all its points."""

import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from flows import graph

DVC_YAML = """
stages:
  regraft: {cmd: touch regraft, params: [lambda], outs: [regraft]}
  split: {cmd: touch split, params: [seed], outs: [split]}
  report:
    cmd: touch report
    params:
      - params.yaml:
    outs: [report]
"""
GATED_DVC_YAML = """
stages:
  parameters:
    cmd: touch valid
    meta: {gate: true}
    params:
      - params.yaml:
    outs: [valid]
  preprocess: {cmd: touch images, deps: [valid], params: [window], outs: [images]}
  pretrain: {cmd: touch pretrained, deps: [images], params: [epochs], outs: [pretrained]}
  check:
    cmd: touch checked
    meta: {gate: true}
    deps: [images]
    params: [seed]
    outs: [checked]
  finetune:
    cmd: touch finetuned
    deps: [checked, pretrained]
    params: [lambda]
    outs: [finetuned]
  evaluate: {cmd: touch metrics, deps: [finetuned], outs: [metrics]}
"""


def write_project(folder: Path, dvc_yaml: str, parameters: str) -> None:
    (folder / "dvc.yaml").write_text(dvc_yaml)
    (folder / "params.yaml").write_text(parameters)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    Repo.init(str(folder)).close()


def test_a_stage_that_reads_the_whole_file_is_touched_by_every_key(tmp_path):
    write_project(tmp_path, DVC_YAML, "lambda: 0.01\nseed: 42\n")
    assert graph.untouched_stages(tmp_path, ["lambda"]) == ["split"]
    assert graph.untouched_stages(tmp_path, ["seed"]) == ["regraft"]


@pytest.fixture(scope="module")
def gated(tmp_path_factory) -> Path:
    """A pipeline in which every stage waits for a gate that reads every parameter."""
    folder = tmp_path_factory.mktemp("gated")
    write_project(folder, GATED_DVC_YAML, "lambda: 0.01\nseed: 42\nepochs: 5\nwindow: [0, 1]\n")
    return folder


@pytest.mark.parametrize(
    ("key", "untouched"),
    [
        ("lambda", ["check", "preprocess", "pretrain"]),
        ("seed", ["evaluate", "finetune", "preprocess", "pretrain"]),
        ("epochs", ["check", "preprocess"]),
        ("window", []),
    ],
)
def test_a_gate_does_not_pass_on_what_it_reads(gated, key, untouched):
    assert graph.untouched_stages(gated, [key]) == untouched


def test_a_gate_that_waits_for_a_touched_stage_is_touched_and_passes_nothing_on(tmp_path):
    dvc_yaml = """
stages:
  images: {cmd: touch images, params: [window], outs: [images]}
  check: {cmd: touch checked, meta: {gate: true}, deps: [images], outs: [checked]}
  train: {cmd: touch model, deps: [checked], outs: [model]}
"""
    write_project(tmp_path, dvc_yaml, "window: [0, 1]\n")
    assert graph.untouched_stages(tmp_path, ["window"]) == ["train"]


def test_stages_come_after_those_that_they_wait_for(gated):
    stages = {stage.name: stage for stage in graph.ordered_stages(gated)}
    assert list(stages)[:2] == ["parameters", "preprocess"]
    assert stages["finetune"].after == ("check", "pretrain")
    assert stages["pretrain"].beside == ("check",)


def test_only_what_the_targets_need_is_listed(gated):
    names = [stage.name for stage in graph.ordered_stages(gated, ["pretrain"])]
    assert names == ["parameters", "preprocess", "pretrain"]


def test_an_unknown_target_is_an_error(gated):
    with pytest.raises(ValueError, match="targets: got pretrian, expected some of check, "):
        graph.ordered_stages(gated, ["pretrian"])
