"""`graft promote` and `graft rollback` in real repositories."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.repo.artifacts import Artifacts
from gto.tag import find
from scmrepo.git import Git

from graft.common.files import InputError
from graft.registry.history import History, Version
from graft.registry.project import open_project
from graft.registry.promotion import Wish, plan_version, promote
from tests.graft.registry.project import (
    CHOSEN,
    DVC_YAML,
    clone,
    commit_run,
    done,
    git,
    graft,
    refused,
    run_again,
    tag,
    tags,
    write_results,
)

PASSED = ["commit", "pipeline", "outputs", "remote", "metrics", "leaks", "verdict"]


def test_a_model_that_passes_every_gate_gets_a_version_and_a_stage(project):
    lines = done("promote", "--version", "v1.2.0", "--stage", "staging").splitlines()
    gates = [line.split()[1].rstrip(":") for line in lines if line.startswith("pass")]
    assert gates == [*PASSED, "models.chosen.test.auroc.value"]
    assert lines[-2] == "tagged: diagnosis@v1.2.0, diagnosis#staging#1"
    assert tags(project) == ["diagnosis#staging#1", "diagnosis@v1.2.0"]
    message = git(project, "tag", "-n", "--list", "diagnosis@v1.2.0")
    assert message.endswith("bagging, verdict helps, test AUROC 0.800 (0.600 to 0.900)")
    found = find(name="diagnosis", stage="staging", scm=Git(str(project)))
    assert [tag.target for tag in found] == [git(project, "rev-parse", "HEAD")]


@pytest.mark.parametrize(
    ("bump", "expected"),
    [(None, "v1.9.1"), ("patch", "v1.9.1"), ("minor", "v1.10.0"), ("major", "v2.0.0")],
)
def test_the_next_version_follows_from_the_highest_one(bump, expected):
    history = History((Version("v1.9.0", "a" * 40, datetime.now(UTC)),), {})
    assert plan_version(history, "b" * 40, Wish(bump=bump)) == expected


def test_a_dry_run_shows_the_gates_and_tags_nothing(project):
    *gates, last = done("promote", "--version", "v1.0.0", "--dry-run").splitlines()
    assert [line[:6] for line in gates] == ["pass  "] * 8
    assert last == "diagnosis@v1.0.0: every gate passed; without --dry-run it would be tagged"
    assert tags(project) == []


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Wish("1.3"), "got '1.3', expected a semantic version such as v1.0.0"),
        (Wish(""), "got '', expected a semantic version"),
        (Wish("v1.3.0\n"), r"got 'v1.3.0\\n', expected a semantic version"),
        (Wish("v1.1.9"), "got v1.1.9, expected one above v1.2.0, the highest"),
        (Wish("v1.2.0"), "got v1.2.0, expected one above v1.2.0"),
        (Wish("v1.2.0-rc.1"), "expected one above v1.2.0"),
        (Wish("v2.0.0", bump="minor"), "both are given, expected one of them"),
    ],
)
def test_a_wrong_version_is_one_line(wish, expected):
    history = History((Version("v1.2.0", "a" * 40, datetime.now(UTC)),), {})
    with pytest.raises(InputError, match=f"^--version.*{expected}"):
        plan_version(history, "b" * 40, wish)


def test_a_wrong_option_is_one_line(project):
    assert "got 'nowhere', expected one that `git remote add` added" in refused(
        "promote", "--version", "v1.0.0", "--push", "nowhere"
    )
    assert "got 'x', expected one of diagnosis" in refused("versions", "--artifact", "x")
    assert graft("promote", "--stage", "shelf").returncode == 2


def test_a_commit_has_one_version_and_may_get_stages_later(project):
    assert "--version: is not given, expected the first one" in refused("promote")
    done("promote", "--version", "v1.0.0")
    assert "this commit is v1.0.0 already" in refused("promote")
    assert "this commit is v1.0.0 already" in refused("promote", "--version", "v1.1.0")
    assert "this commit is v1.0.0 already" in refused("promote", "--bump", "minor")
    done("promote", "--version", "v1.0.0", "--stage", "production")
    assert "v1.0.0 is in production already" in refused("promote", "--stage", "production")
    assert tags(project) == ["diagnosis#production#1", "diagnosis@v1.0.0"]


def test_a_tag_that_is_no_version_is_not_replaced(project):
    git(project, "tag", "diagnosis@v1.0.0")  # without a message, which GTO does not read
    assert refused("promote", "--version", "v1.0.0") == (
        "error: tag 'diagnosis@v1.0.0' already exists"
    )


def test_a_detached_head_can_be_promoted(project):
    git(project, "checkout", "-q", "--detach")
    assert "tagged: diagnosis@v1.0.0" in done("promote", "--version", "v1.0.0")


def test_a_model_worse_than_that_in_production_is_refused(project):
    done("promote", "--version", "v1.0.0", "--stage", "production")
    run_again(project, auroc=0.74)
    ended = graft("promote")
    assert "fell from 0.8 to 0.74, expected a drop of at most 0.05 (v1.0.0 in pro" in ended.stdout
    assert ended.stderr == (
        "error: diagnosis@v1.0.1: 1 of 8 gates failed: models.chosen.test.auroc.value; nothing "
        "was tagged\n"
    )
    run_again(project, auroc=0.76)
    assert "is 0.76, it was 0.8 and may fall by 0.05" in done("promote", "--dry-run")
    run_again(project, 0.6, lambda metrics: metrics["hashes"]["target"].update(split="other"))
    assert "v1.0.0 in production was tested on other cases, so not compared" in done("promote")


def test_a_comparison_needs_the_metrics_of_the_version_in_production(project):
    done("promote", "--version", "v1.0.0", "--stage", "production")
    with Repo() as repo:
        (former,) = repo.find_outs_by_path("metrics/metrics.json")
        cached = Path(former.cache_path)
    run_again(project, auroc=0.79)
    cached.unlink()
    ended = graft("promote")
    assert "FAIL  production: metrics/metrics.json: cannot be read from commit" in ended.stdout
    assert "gates failed: production" in ended.stderr
    gates = project / "gates.yaml"
    gates.write_text("gates: [{metric: models.chosen.test.auroc.value, least: 0.7}]")
    git(project, "add", "gates.yaml")
    git(project, "commit", "-qm", "gates")
    assert "is 0.79, at least 0.7" in done("promote", "--gates", "gates.yaml")


def test_rollback_goes_back_one_version_at_a_time_and_deletes_nothing(project):
    assert "no version has this stage" in refused("rollback", "production")
    for day in range(3):
        git(project, "commit", "-q", "--allow-empty", "-m", "next")
        tag(project, f"diagnosis@v1.{day}.0", day)
        tag(project, f"diagnosis#production#{day + 1}", day)
    before = tags(project)
    assert "from v1.2.0 back to v1.1.0" in done("rollback", "production", "--dry-run")
    assert tags(project) == before
    assert "tagged: diagnosis#production#4" in done("rollback", "production")
    assert "from v1.1.0 back to v1.0.0" in done("rollback", "production")
    assert "had this stage before v1.0.0" in refused("rollback", "production")
    assert set(before) < set(tags(project))


def test_dvc_fetches_a_version_and_a_stage_from_a_clone(project, tmp_path):
    first = (project / "models/best/weights.safetensors").read_bytes()
    done("promote", "--version", "v1.0.0", "--stage", "production")
    with Repo() as repo, repo.config.edit("repo") as settings:
        settings["remote"] = {"store": {"url": str(tmp_path / "store")}}
        settings["core"] = {"remote": "store"}
    run_again(project, auroc=0.82)
    ended = graft("promote")
    assert "weights.safetensors" in ended.stdout
    assert "not in the DVC remote store; run `dvc push`" in ended.stdout
    with Repo() as repo:
        repo.push(all_tags=True)
    done("promote", "--stage", "production")
    here = clone(project, tmp_path / "clone")
    second = (project / "models/best/weights.safetensors").read_bytes()
    assert fetched(here, tmp_path / "newest", version="v1.0.1") == second
    assert fetched(here, tmp_path / "used", stage="production") == second
    done("rollback", "production")
    assert fetched(project, tmp_path / "back", stage="production") == first


def fetched(repository: Path, folder: Path, name: str = "diagnosis", **which: str) -> bytes:
    """The weights that `dvc artifacts get` fetches."""
    Artifacts.get(str(repository), name, out=str(folder), **which)
    return (folder / "weights.safetensors").read_bytes()


def test_of_two_promotions_at_once_one_makes_the_version(project):
    ended: list[str] = []

    def attempt() -> None:
        try:
            with open_project(project, None, alone=True) as opened:
                *_, _ = promote(opened, Path("metrics/metrics.json"), None, Wish("v1.0.0"))
            ended.append("tagged")
        except InputError as error:
            ended.append(str(error))

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["--stage: is not given, and this commit is v1.0.0 already", "tagged"]


def test_tags_are_pushed_all_or_none(project, tmp_path):
    origin = tmp_path / "origin.git"
    git(tmp_path, "init", "-q", "--bare", str(origin))
    git(project, "remote", "add", "origin", str(origin))
    done("promote", "--version", "v1.0.0")  # not pushed, but its stage needs it
    done("promote", "--stage", "staging", "--push", "origin")
    assert tags(origin) == ["diagnosis#staging#1", "diagnosis@v1.0.0"]
    hook = origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    git(project, "commit", "-q", "--allow-empty", "-m", "next")
    message = refused("promote", "--stage", "production", "--push", "origin")
    assert "pre-receive hook declined" in message
    assert tags(project) == tags(origin)


def test_versions_of_other_clones_count(project, tmp_path, monkeypatch):
    origin = tmp_path / "origin.git"
    git(tmp_path, "init", "-q", "--bare", str(origin))
    git(project, "remote", "add", "origin", str(origin))
    git(project, "push", "-q", "origin", "main")
    git(project, "tag", "-am", "made elsewhere", "diagnosis@v1.0.0")
    git(project, "push", "-q", "origin", "diagnosis@v1.0.0")
    git(project, "tag", "-d", "diagnosis@v1.0.0")
    assert "v1.0.0 already" in refused("promote", "--version", "v1.1.0", "--push", "origin")
    git(project, "tag", "-fam", "another", "diagnosis@v1.0.0")
    message = refused("promote", "--stage", "staging", "--push", "origin")
    assert "would clobber existing tag" in message


def test_a_stage_tag_from_the_future_is_refused(project, monkeypatch):
    done("promote", "--version", "v1.0.0")
    with monkeypatch.context() as later:
        later.setenv("GIT_COMMITTER_DATE", "4000000000 +0000")
        git(project, "tag", "-am", "early", "diagnosis#staging#1")
    message = refused("promote", "--stage", "production")
    assert "diagnosis#staging#1: is dated" in message
    assert "set the clock" in message


def test_a_promotion_whose_stage_is_refused_makes_no_version(project, monkeypatch):
    with monkeypatch.context() as later:
        later.setenv("GIT_COMMITTER_DATE", "4000000000 +0000")
        git(project, "tag", "-am", "early", "diagnosis#staging#1")
    message = refused("promote", "--version", "v1.0.0", "--stage", "production")
    assert "diagnosis#staging#1: is dated" in message
    assert tags(project) == ["diagnosis#staging#1"]


def test_a_promotion_whose_stage_fails_makes_no_version(project):
    in_the_way = "diagnosis#production#1/x"  # git has no tag beside a folder of its name
    tag(project, in_the_way, 1)
    assert graft("promote", "--version", "v1.0.0", "--stage", "production").returncode == 1
    assert tags(project) == [in_the_way]


def test_the_versions_are_listed_with_their_stages_and_results(project):
    assert "diagnosis: has no version" in done("versions")
    done("promote", "--version", "v1.0.0", "--stage", "production")
    run_again(project, 0.9, lambda metrics: metrics.update(verdict="no difference shown"))
    done("promote", "--bump", "minor", "--stage", "staging")
    lines = done("versions").splitlines()
    assert lines[0].split("  ")[0] == "version"
    head = git(project, "rev-parse", "--short=7", "HEAD")
    assert lines[1].split()[:3] == ["v1.1.0", "staging", head]
    assert lines[1].endswith(f"{CHOSEN}  no difference shown  0.900 (0.600 to 0.900)")
    assert lines[2].startswith("v1.0.0   production")
    newest, oldest = json.loads(done("versions", "--json"))
    assert newest["auroc"] == {"value": 0.9, "low": 0.6, "high": 0.9}
    assert oldest["stages"] == ["production"]
    newest, _ = json.loads(done("versions", "--json", "--metrics", "metrics/none.json"))
    assert newest["auroc"] is None
    assert newest["problem"].startswith("metrics/none.json: cannot be read from commit")


def test_the_artifact_of_a_project_in_a_folder_has_the_folder_in_its_name(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    folder = tmp_path / "organs/liver"
    folder.mkdir(parents=True)
    Repo.init(str(folder), subdir=True).close()
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text("lambda: 0.01\n")
    (folder / "data").mkdir()
    (folder / "data/raw.txt").write_text("raw")
    (folder / "data/split.txt").write_text("split")
    (folder / ".gitignore").write_text("/metrics/*\n/models/*\n/data/*\n")
    write_results(folder)
    commit_run(folder)
    monkeypatch.chdir(folder)
    done("promote", "--version", "v1.0.0")
    assert tags(tmp_path) == ["organs/liver=diagnosis@v1.0.0"]
    (row,) = json.loads(done("versions", "--json"))
    assert (row["artifact"], row["problem"]) == ("organs/liver:diagnosis", None)
    weights = (folder / "models/best/weights.safetensors").read_bytes()
    assert fetched(tmp_path, tmp_path / "got", row["artifact"], version="v1.0.0") == weights
