"""The pipeline as users type it: a real DVC repository with a cohort that trains in seconds."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from torch import Tensor

from benchmarks.campaign.project import CODE, FILES
from flows.graph import changed_stages
from graft.common.vocabulary import TESTS
from graft.training import checkpoint
from graft.training.epoch import Epochs
from stages import (
    ensemble,
    evaluate,
    finetune,
    learning_curve,
    paths,
    pretrain,
    rank_sources,
    regularize,
    self_supervise,
)
from tests.processed import edit_images, edit_index, read_parts

ROOT = Path(__file__).parents[1]
TINY = {
    "phantom": {"lung": {"patients": 24}, "liver": {"patients": 24}},
    "preprocess": {"patch": [16, 16, 16], "spacing": [2.0, 2.0, 2.0]},
    # Without class weights, every stage first fits how common the classes are and so improves.
    "training": {"device": "cpu", "class_weights": "none"},
    "pretrain": {"epochs": 4},
    "finetune": {"epochs": 4},
    "regularize": {"epochs": 2},
    "ensemble": {"epochs": 2, "members": 2},
    "learning_curve": {"draws": 0},
    "evaluate": {"resamples": 100},
    "explain": {"cases": 2},
}
SPLIT = {"test": 0.4, "folds": 2, "labelled": 1.0}  # of the few livers: some must train
AFTER_LAMBDA = [
    "parameters",
    "finetune@transfer",
    "regularize",
    "ensemble@bagging",
    "ensemble@boosting",
    "learning_curve",
    "cross_validate",
    "evaluate",
    "explain",
    "attack",
    "report",
]
TRAINING = ["pretrain", "finetune@transfer", "finetune@scratch", *AFTER_LAMBDA[2:5]]
REPEATED = ["learning_curve", "cross_validate"]
WHOLE_FILE = {"parameters", "report"}  # the stages that read all of params.yaml
EVERYTHING = [
    "parameters",
    "phantom@lung",
    "preprocess@lung",
    "phantom@liver",
    "preprocess@liver",
    "split@lung",
    "split@liver",
    "check",
    "self_supervise",
    "pretrain",
    "rank_sources",
    *TRAINING[1:],
    *REPEATED,
    "evaluate",
    "explain",
    "attack",
    "report",
]


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    """This interpreter's `python` and `dvc`, one thread and process, and an empty home folder."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text("[user]\nname = graft\nemail = graft@example.org\n")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_", "XDG_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("DVC_SITE_CACHE_DIR", str(home / "dvc"))
        patch.setenv(
            "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        )
        patch.setenv("OMP_NUM_THREADS", "1")  # networks this small train faster with one
        patch.setenv("GRAFT_WORKERS", "1")  # to start another takes longer than these trainings
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A committed repository after `dvc repro`. Tests must not change it, but copy it."""
    folder = tmp_path_factory.mktemp("finished")
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for section, values in TINY.items():
        for key, value in values.items():
            edit(folder, section, key, value)
    liver = YAML().load(folder / "params.yaml")["domains"]["liver"]
    liver["split"].update(SPLIT)
    edit(folder, "domains", "liver", liver)
    typed(folder, "git init -q -b main && git add --all && git commit -qm 'a tiny cohort'")
    assert ran(typed(folder, "dvc repro")) == EVERYTHING
    typed(folder, "git add --all && git commit -qm results")
    return folder


@pytest.fixture(scope="module")
def regrafted(finished, tmp_path_factory):
    """A copy of `finished` after `dvc exp run -S lambda=0.1 evaluate`, and what that printed."""
    folder = tmp_path_factory.mktemp("regrafted") / "project"
    shutil.copytree(finished, folder)
    return folder, typed(folder, "dvc exp run -S lambda=0.1 evaluate")


@pytest.fixture
def project(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "project")


def typed(folder: Path, line: str, fails: bool = False) -> str:
    """What a line typed in a folder prints; it must succeed, or fail if `fails` is set."""
    done = subprocess.run(
        line, shell=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def edit(folder: Path, section: str, key: str, value: object) -> None:
    yaml, path = YAML(), folder / "params.yaml"
    params = yaml.load(path)
    params[section][key] = value
    yaml.dump(params, path)


def ran(output: str) -> list[str]:
    """The stages that DVC ran, without the file they stand in."""
    return re.findall(r"^Running stage '(?:.*:)?(.+)':$", output, re.MULTILINE)


def results(folder: Path) -> dict[str, bytes]:
    """Every file under metrics/ and models/."""
    files = (
        path
        for name in ("metrics", "models")
        for path in (folder / name).rglob("*")
        if path.is_file()
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def trained(folder: Path) -> dict[str, bytes]:
    """What training wrote: the weights, their cards and the curves."""
    written = {
        name: found
        for name, found in results(folder).items()
        if name.startswith(("models/", "metrics/curves/"))
    }
    for name in ("README.md", "fitted.json"):  # of the stage evaluate
        del written[f"models/best/{name}"]
    return written


def fitted(folder: Path) -> dict:
    """What was fitted with the chosen model, without the hashes of its data and its README."""
    content = json.loads((folder / "models/best/fitted.json").read_text())
    for key in ("files", "provenance", "sha256"):
        del content[key]
    return content


def experiments(folder: Path) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(typed(folder, "dvc exp show --csv")))


def scores(folder: Path) -> dict:
    return json.loads((folder / "metrics/metrics.json").read_text())


def test_repro_leaves_every_out_and_then_has_nothing_to_do(finished):
    lock = YAML(typ="safe").load(finished / "dvc.lock")["stages"]
    assert all(
        (finished / out["path"]).exists() for stage in lock.values() for out in stage["outs"]
    )
    assert set(scores(finished)["models"]) == set(
        evaluate.MODELS
    )  # evaluate checks the rest against its schema
    assert ran(typed(finished, "dvc repro")) == []
    assert typed(finished, "git status --porcelain") == ""


def test_dag_names_every_stage(finished):
    graph = typed(finished, "dvc dag")
    assert all(stage in graph for stage in EVERYTHING)


def test_another_lambda_reruns_the_graft_and_what_follows(finished, regrafted):
    folder, told = regrafted
    assert ran(told) == AFTER_LAMBDA[: AFTER_LAMBDA.index("evaluate") + 1]
    assert changed_stages(folder) == set(AFTER_LAMBDA) - set(ran(told))
    before, after = results(finished), results(folder)
    for model in ("finetuned/transfer", "regularized", "ensemble/bagging", "ensemble/boosting"):
        assert (
            after[f"models/{model}/weights.safetensors"]
            != before[f"models/{model}/weights.safetensors"]
        )
    for model in ("pretrained", "finetuned/scratch"):
        assert (
            after[f"models/{model}/weights.safetensors"]
            == before[f"models/{model}/weights.safetensors"]
        )


def test_the_old_lambda_comes_back_without_training(finished, regrafted, tmp_path):
    folder = shutil.copytree(regrafted[0], tmp_path / "project")
    told = typed(folder, "dvc exp run -S lambda=0.01")
    assert ran(told) == []
    restored = len(ran(regrafted[1]))
    assert told.count("is cached - skipping run, checking out outputs") == restored
    assert results(folder) == results(finished)


def test_diffs_show_lambda_and_the_scores(regrafted):
    folder, _ = regrafted
    ((name, change),) = json.loads(typed(folder, "dvc params diff --json"))["params.yaml"].items()
    assert (name, change["old"], change["new"]) == ("lambda", 0.01, 0.1)
    change = json.loads(typed(folder, "dvc metrics diff --json"))["metrics/summary.json"][
        "validation.log_loss.transfer"
    ]
    assert change["old"] != change["new"]


def test_the_table_of_experiments_shows_lambda_and_the_scores(regrafted):
    table = experiments(regrafted[0])
    assert list(table["lambda"]) == [0.1, 0.01, 0.1]  # the workspace, main and the experiment
    assert table["test.auroc.transfer"].between(0, 1).all()


def test_plots_diff_draws_every_plot_for_both_revisions(regrafted):
    folder, _ = regrafted
    typed(folder, "dvc plots diff")
    page = (folder / "dvc_plots/index.html").read_text()
    plots = YAML(typ="safe").load(ROOT / "metrics/dvc.yaml")["plots"]
    names = [name for plot in plots for name in plot]
    assert re.findall('<div id = "(.+)">', page) == [name.replace(" ", "_") for name in names]
    assert set(re.findall('"rev": "(.+?)"', page)) == {"HEAD", "workspace"}


def test_push_and_pull_bring_the_same_bytes_to_a_clone(project, tmp_path):
    typed(project, "dvc remote add -d store ../store && git commit -qam 'a remote' && dvc push")
    typed(tmp_path, "git clone -q project clone")
    typed(tmp_path / "clone", "dvc pull")
    assert results(tmp_path / "clone") == results(project)
    assert ran(typed(tmp_path / "clone", "dvc repro")) == []


def test_a_stage_killed_in_training_resumes_without_dvc_and_ends_in_the_same_bytes(
    finished, project, monkeypatch
):
    for out in (
        "models/finetuned/transfer",
        "metrics/curves/finetune-transfer",
    ):  # as DVC does before it runs a stage
        shutil.rmtree(project / out)
    monkeypatch.chdir(project)
    killed = get_context("fork").Process(target=finetune_until_killed)
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert list((project / ".graft/checkpoints/finetune-transfer").iterdir())
    assert not (project / "models/finetuned/transfer").exists()
    epochs = []
    run_epoch = Epochs.run

    def run_and_note(self: Epochs, epoch: int) -> object:
        epochs.append(epoch)
        return run_epoch(self, epoch)

    monkeypatch.setattr(Epochs, "run", run_and_note)
    finetune.main("transfer")
    assert epochs == [3, 4, *[1, 2, 3, 4] * 2]  # of all patients, and outside of both folds
    assert trained(project) == trained(finished)
    assert not (project / ".graft/checkpoints/finetune-transfer").exists()


def finetune_until_killed() -> None:
    """Fine-tune in the working directory. SIGKILL ends it when it has saved two epochs."""
    save = checkpoint.Checkpoint.save

    def save_and_die(
        self: checkpoint.Checkpoint, tensors: dict[str, Tensor], progress: dict
    ) -> None:
        save(self, tensors, progress)
        if len(progress["history"]) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.SAVE_EVERY_S = 0
    checkpoint.Checkpoint.save = save_and_die
    finetune.main("transfer")


def test_the_test_parts_are_read_by_evaluate_and_by_nothing_else(finished, project, monkeypatch):
    for name in ("lung", "liver"):
        spoil_tests(project, name)
    sources = (project / paths.SOURCE_LIST).read_bytes()  # from `check`, which reads all parts
    shutil.rmtree(project / "models")
    (project / paths.SOURCE_LIST).parent.mkdir(parents=True)
    (project / paths.SOURCE_LIST).write_bytes(sources)
    monkeypatch.chdir(project)
    self_supervise.main()
    pretrain.main()
    rank_sources.main()
    finetune.main("transfer")
    finetune.main("scratch")
    regularize.main()
    ensemble.main("bagging")
    ensemble.main("boosting")
    learning_curve.main()
    evaluate.main()
    assert trained(project) == trained(finished)
    assert fitted(project) == fitted(finished)
    ranked = "metrics/sources.json"
    assert results(project)[ranked] == results(finished)[ranked]
    before, after = scores(finished), scores(project)
    for name in evaluate.MODELS:
        for part in TESTS:
            assert after["models"][name][part] != before["models"][name][part]
        assert after["models"][name]["validation"] == before["models"][name]["validation"]


def spoil_tests(project: Path, name: str) -> None:
    """Replace the test images of a domain by noise, and swap the classes of their lesions."""
    hidden = read_parts(name, project).isin(TESTS)
    other = {"benign": "malignant", "malignant": "benign"}

    def add_noise(images: np.ndarray) -> None:
        images[hidden] = np.random.default_rng(0).random(images[hidden].shape)

    def swap_classes(index: pd.DataFrame) -> None:
        index.loc[hidden, "label"] = index.loc[hidden, "label"].map(other)

    edit_images(name, add_noise, project)
    edit_index(name, swap_classes, project)


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("graft/console.py", set()),
        ("graft/report/words.py", {"report"}),
        ("graft/statistics/bootstrap.py", {"attack", "evaluate", "explain", "report"}),
        ("graft/leakage/within.py", {"attack", "check", "evaluate"}),
        ("graft/membership/rates.py", {"attack"}),
        ("graft/ranking/distance.py", {"parameters", "rank_sources"}),
        ("graft/training/penalty.py", {"parameters", "self_supervise", *TRAINING, *REPEATED}),
        ("graft/data/split.py", set(EVERYTHING) - {"phantom@lung", "phantom@liver", "report"}),
    ],
)
def test_changed_code_reruns_the_stages_that_import_it(project, file, stages):
    with (project / file).open("a") as code:
        code.write("# another thought\n")
    assert changed_stages(project) == stages


@pytest.mark.parametrize(
    ("section", "key", "value", "stages"),
    [
        (
            "network",
            "width",
            16,
            {"self_supervise", "pretrain", "rank_sources", "finetune@scratch", *REPEATED},
        ),
        ("evaluate", "resamples", 101, {"evaluate", "explain"}),
        ("ensemble", "members", 3, {"ensemble@bagging", "ensemble@boosting"}),
    ],
)
def test_changed_parameters_rerun_the_stages_that_read_them(project, section, key, value, stages):
    edit(project, section, key, value)
    assert changed_stages(project) == stages | WHOLE_FILE


def test_a_bad_parameter_is_one_line_and_the_earlier_outputs_come_back(finished, project):
    told = typed(project, "dvc exp run -S lambda=-1", fails=True)
    assert (
        "\nerror: params.yaml: lambda: got -1; Input should be greater than or equal to 0\n" in told
    )
    assert (
        told.lower().count("error") == 2 and "Traceback" not in told
    )  # the other is DVC's: which stage failed
    typed(project, "git checkout -q params.yaml && dvc checkout")
    assert results(project) == results(finished)


def test_a_misspelt_parameter_stops_before_anything_runs(project):
    assert "Could not override 'lamda'" in typed(project, "dvc exp run -S lamda=0.1", fails=True)
    typed(project, "sed -i.before s/^lambda:/lamda:/ params.yaml")
    told = typed(project, "dvc repro", fails=True)
    assert ran(told) == ["parameters"]
    assert "params.yaml: lambda: missing; lamda: unknown key, did you mean 'lambda'?" in told


@pytest.mark.slow
def test_a_queue_of_lambdas_leaves_an_experiment_each_and_no_worker(project):
    before = results(project)
    typed(project, "dvc exp run --queue -S 'lambda=0,0.001'")
    typed(project, "dvc exp run --run-all")
    assert "0 active, 0 idle" in typed(project, "dvc queue status")
    assert sorted(experiments(project)["lambda"]) == [0, 0.001, 0.01, 0.01]
    assert results(project) == before and typed(project, "git status --porcelain") == ""
