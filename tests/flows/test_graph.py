"""Which stages a sweep runs once for all its points."""

import subprocess

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


def test_a_stage_that_reads_the_whole_file_is_touched_by_every_key(tmp_path):
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "params.yaml").write_text("lambda: 0.01\nseed: 42\n")
    subprocess.run("git init -q && dvc init -q", shell=True, cwd=tmp_path, check=True)
    assert graph.untouched(tmp_path, ["lambda"]) == ["split"]
    assert graph.untouched(tmp_path, ["seed"]) == ["regraft"]
