import errno
import io
import json
import os
import shutil
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo
from git import Repo as GitRepo

from graft.commands.forget import PARAMETERS, _layout
from graft.common.files import InputError, read_json, write_sealed
from graft.common.yaml_file import read_yaml
from graft.forgetting import removal
from graft.forgetting.forget import Wish, forget, search_only
from graft.keys.pseudonyms import pseudonym
from stages import preprocess
from tests import small_target
from tests.commands import run_module
from tests.graft.forgetting.conftest import KEY, OTHER, PATIENTS, PERSON, run_stages
from tests.graft.forgetting.everything import bytes_of_person, files_with

PSEUDONYM = pseudonym(PERSON, KEY)
HERE = Path()


def slow_shares() -> list:
    return [pytest.param(k / 25, marks=pytest.mark.slow) for k in range(1, 25)]


def forgotten(text: str = PERSON, **wish: bool) -> bool:
    return forget(HERE, text, PARAMETERS, _layout(), Wish(**wish))


def contents(root: Path) -> dict[str, bytes]:
    """Every file outside of git and of what DVC notes for itself."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    places = {path.relative_to(root).as_posix(): path for path in files}
    private = (".git/", ".dvc/tmp")
    return {
        place: path.read_bytes() for place, path in places.items() if not place.startswith(private)
    }


def test_without_yes_nothing_changes(project, capsys):
    before = contents(project)
    assert forgotten()
    assert contents(project) == before
    printed = capsys.readouterr().out
    assert f"The patient ({PSEUDONYM}) is in liver, lung." in printed
    assert "lung: 2 rows of manifest.csv (9, 10) and 6 files that nobody else uses" in printed
    assert "liver: 2 rows of data.npy, labels.npy, groups.npy in data/raw/liver" in printed
    for output in ("data/processed/lung", "metrics/predictions.csv", ".graft/scans/lung"):
        assert f"\n  {output}\n" in printed
    assert "Nothing was changed" in printed
    assert PERSON not in printed


@pytest.mark.parametrize("text", [PERSON, PSEUDONYM])
def test_no_byte_is_left_in_the_working_tree(project, capsys, text):
    needles = bytes_of_person(project, PERSON, PSEUDONYM)
    assert len(files_with(project, needles, but=OTHER)) == 15  # so that the test could fail
    assert forgotten(text, do=True)
    assert files_with(project, needles, but=OTHER) == []
    printed = capsys.readouterr().out
    assert "The working tree has no trace of the patient." in printed
    assert PERSON not in printed


def test_the_others_keep_every_byte(project):
    lines = Path("data/raw/lung/manifest.csv").read_bytes().split(b"\r\n")
    groups, data = np.load("data/raw/liver/groups.npy"), np.load("data/raw/liver/data.npy")
    others = {path: path.read_bytes() for path in Path("data/raw/lung").rglob("*.dcm")}
    assert forgotten(do=True)
    kept = [line for line in lines if not line.startswith(f"{PERSON},".encode())]
    assert Path("data/raw/lung/manifest.csv").read_bytes() == b"\r\n".join(kept)
    assert np.array_equal(np.load("data/raw/liver/groups.npy"), groups[groups != PERSON])
    assert np.array_equal(np.load("data/raw/liver/data.npy"), data[groups != PERSON])
    assert OTHER in np.load("data/raw/liver/groups.npy")
    for path, content in others.items():
        assert not path.exists() if "scan3" in path.parts else path.read_bytes() == content


def test_the_next_run_works_and_the_commands_purge_the_cache(project, capsys):
    needles = bytes_of_person(project, PERSON, PSEUDONYM)
    assert forgotten(do=True)
    printed = capsys.readouterr().out
    assert "has the patient in 4 files" in printed  # two indexes and two arrays of images
    assert printed.index("dvc repro") < printed.index("git commit") < printed.index("dvc gc")
    assert files_with(project / ".dvc/cache", needles, left_out="")
    assert not search_only(HERE, PERSON, PARAMETERS, _layout())
    run_stages()
    with Repo() as repo:
        repo.gc(workspace=True, force=True)
    assert files_with(project, needles, left_out="", but=OTHER) == []
    assert search_only(HERE, PERSON, PARAMETERS, _layout())
    index = pd.read_csv("data/processed/lung/index.csv")
    assert index["patient"].nunique() == PATIENTS - 1


def test_other_files_are_named_and_deleted_only_if_wanted(project, tmp_path, capsys):
    image = np.load("data/processed/lung/images.npy")[3]
    np.savez_compressed("copy.npz", image=image)
    (project / "notes" / PERSON).mkdir(parents=True)
    Path("tracked.txt").write_text(f"1\n2\n{PERSON}\n{OTHER}\n")
    Path("other.txt").write_text(OTHER)
    GitRepo().git.add("tracked.txt")
    shutil.copy("data/raw/lung/scan3/CT/slice-01.dcm", "data/raw/lung/scan4/unlisted.dcm")
    before = contents(project)
    assert forgotten()
    printed = capsys.readouterr().out
    assert "  copy.npz (unpacked file 1) (byte " in printed
    assert "  notes: a name in it that cannot be shown here: has the name" in printed
    assert "  tracked.txt:3: has the name of the patient" in printed
    assert "other.txt" not in printed
    assert contents(project) == before
    assert not forgotten(do=True, found=True)
    assert not Path("copy.npz").exists()
    assert not Path("notes").exists()
    assert Path("other.txt").exists()
    printed = capsys.readouterr().out
    left = printed.partition("still has the patient:")[2]
    assert "  data/raw/lung/scan4/unlisted.dcm (byte " in left
    assert "  tracked.txt:3" in left
    assert len(np.load("data/raw/liver/groups.npy")) == 2 * PATIENTS - 2


def test_links_never_delete_what_must_stay(project, tmp_path, capsys):
    outside = tmp_path / "outside.txt"
    inside = Path("inside.txt").absolute()
    tracked, raw = Path("tracked.txt").absolute(), Path("data/raw/liver/notes.txt").absolute()
    for number, file in enumerate((outside, inside, tracked, raw)):
        file.write_text(PERSON)
        Path(f"link{number}").symlink_to(file)
    GitRepo().git.add("tracked.txt")
    assert not forgotten(do=True, found=True)
    assert [file.exists() for file in (outside, inside, tracked, raw)] == [True, False, True, True]
    assert not list(project.glob("link*"))
    told = capsys.readouterr().out.partition("whose targets stay")[2].splitlines()[1:4]
    assert [line.split(":")[0] for line in told] == ["  link0", "  link2", "  link3"]


def test_models_and_what_names_them_are_listed(project, capsys):
    GitRepo().git.tag("diagnosis@v1.0.0", "-m", "a version")
    shutil.copytree("models/pretrained", "exported")
    digest = read_json(Path("models/pretrained/card.json"))["weights_sha256"]
    Path("answers.json").write_text(json.dumps({"model": digest}))
    assert forgotten(do=True)
    printed = capsys.readouterr().out
    what = "was trained on the patient: retrain it or withdraw it (--models deletes it)"
    assert f"  models/pretrained {what}\n" in printed
    assert f"  exported {what}\n" in printed
    assert "  answers.json:1: has the SHA-256 of " in printed
    assert "  The version diagnosis@v1.0.0 of git has models/pretrained: withdraw it." in printed
    assert Path("models/pretrained/weights.safetensors").exists()
    assert not Path("models/pretrained/out_of_fold.csv").exists()


def test_models_are_deleted_if_wanted(project):
    shutil.copytree("models/pretrained", "models/other")
    card = read_json(Path("models/other/card.json"))
    other = {"domain": "liver", "train_sha256": "0" * 64, "validation_sha256": None}
    write_sealed(Path("models/other/card.json"), card | {"data": other, "weights_sha256": "1" * 64})
    assert forgotten(do=True, models=True)
    assert [path.name for path in Path("models").iterdir()] == ["other"]  # it may be unrelated


def test_raw_data_outside_of_the_project_is_not_touched(project, tmp_path, capsys):
    shutil.move("data/raw/lung", tmp_path / "archive")
    Path("data/raw/lung").symlink_to(tmp_path / "archive")
    before = contents(tmp_path / "archive")
    assert forgotten(do=True)
    assert contents(tmp_path / "archive") == before
    printed = capsys.readouterr().out
    assert "lung: NOT 2 rows of manifest.csv (9, 10) and 6 files in data/raw/lung" in printed


def test_two_domains_with_the_same_raw_data_lose_the_rows_once(project):
    small_target.edit_parameters(domains=third_domain("data/raw/liver"))
    assert forgotten(do=True)
    assert len(np.load("data/raw/liver/groups.npy")) == 2 * PATIENTS - 2


def test_two_domains_with_the_same_scans_delete_them_once(project):
    small_target.edit_parameters(domains=third_domain("data/raw/lung"))
    assert forgotten(do=True)
    assert not Path("data/raw/lung/scan3").exists()


def third_domain(path: str) -> dict:
    """The parameters of one more domain."""
    domains = read_yaml(PARAMETERS)["domains"]
    return {"third": {**domains["liver"], "path": path}}


def test_bytes_that_everybody_has_are_not_the_patients(project):
    licence = bytes(range(32, 120)) * 40
    for number in (3, 4):
        Path(f"data/raw/lung/scan{number}/CT/LICENCE").write_bytes(licence)
    assert forgotten(do=True)
    assert Path("data/raw/lung/scan4/CT/LICENCE").exists()


def test_a_fault_of_the_file_system_names_no_file(project, monkeypatch):
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(InputError, match="Permission denied .its name is not shown.") as caught:
        forgotten(do=True)
    assert "slice" not in str(caught.value)


def test_an_emptied_class_is_announced(project, capsys):
    groups, labels = np.load("data/raw/liver/groups.npy"), np.load("data/raw/liver/labels.npy")
    np.save("data/raw/liver/labels.npy", (groups == PERSON).astype(labels.dtype))
    assert forgotten()
    printed = capsys.readouterr().out
    assert "Nobody else there has the class malignant: the next `dvc repro` will refuse" in printed
    assert "class benign" not in printed


def test_what_cannot_be_done_is_one_line(project, monkeypatch):
    for text, message in (("Nobody-1", "is in none of the domains lung, liver"), (" ", "nothing")):
        with pytest.raises(InputError, match=message):
            forgotten(text)
    monkeypatch.setenv("GRAFT_PATIENT_KEY", "another secret key of somebody")
    with pytest.raises(InputError, match="has pseudonyms under the key .* expected one under"):
        forgotten()


def test_nothing_is_done_while_a_stage_runs(project):
    running = {"pid": os.getpid(), "cmd": "python -m stages.split"}
    path = str(project / "data/splits/lung.csv")
    Path(".dvc/tmp/rwlock").write_text(json.dumps({"write": {path: running}, "read": {}}))
    before = contents(project)
    with pytest.raises(InputError, match="a stage or a command of DVC is running, or another"):
        forgotten(do=True)
    assert contents(project) == before
    assert forgotten()  # to look is allowed


def change_files(stop_at: int) -> int:
    """Forget, and kill this process before the change of a file with this number; 0 for never."""
    count = 0

    def counting(change: Callable[..., None]) -> Callable[..., None]:
        def counted(*arguments: object, **options: object) -> None:
            nonlocal count
            count += 1
            if count == stop_at:
                os.kill(os.getpid(), signal.SIGKILL)
            change(*arguments, **options)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        for name in ("unlink", "rmdir", "rename", "replace"):
            patch.setattr(os, name, counting(getattr(os, name)))
        forgotten(do=True, models=True)
    return count


@pytest.mark.parametrize("share", [0.97, *slow_shares()])
def test_a_killed_run_is_completed_by_the_next_one(project, tmp_path, monkeypatch, share):
    whole = shutil.copytree(project, tmp_path / "whole", symlinks=True)
    monkeypatch.chdir(whole)
    changes = change_files(0)
    monkeypatch.chdir(project)
    child = get_context("fork").Process(target=change_files, args=(int(share * changes),))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert contents(project) != contents(whole)
    assert forgotten(do=True, models=True)
    assert contents(project) == contents(whole)


def test_a_row_without_a_name_is_found_again_by_the_processed_domain(project, monkeypatch):
    Path("data/raw/liver/groups.npy").unlink()
    preprocess.main("liver")
    labels = np.load("data/raw/liver/labels.npy")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        for place in ("_delete", "_delete_folder"):
            patch.setattr(removal, place, killed)
        with pytest.raises(KeyboardInterrupt):
            forgotten("liver row 6", do=True)
    assert len(np.load("data/raw/liver/labels.npy")) == len(labels) - 1
    assert Path("data/processed/liver/index.csv").exists()
    assert forgotten("liver row 6", do=True)
    assert np.load("data/raw/liver/labels.npy").tolist() == np.delete(labels, 6).tolist()
    assert not Path("data/processed/liver").exists()


def test_a_short_name_is_said_not_to_be_searched_for(project, capsys):
    groups = np.load("data/raw/liver/groups.npy")
    np.save("data/raw/liver/groups.npy", np.where(groups == PERSON, "P17", groups))
    preprocess.main("liver")
    forgotten("P17", do=True)
    assert "Not searched for: 1 of the patient's names and numbers" in capsys.readouterr().out


def test_names_of_files_in_merges_are_found_in_the_history(project):
    checkout = GitRepo()
    checkout.git.checkout("-qb", "side")
    checkout.git.commit("-qm", "side", "--allow-empty")
    checkout.git.checkout("-q", "-")
    checkout.git.merge("side", "--no-ff", "--no-commit")
    Path("Jörg-Müller-Lüdenscheidt.txt").write_text("a note")
    checkout.git.add("Jörg-Müller-Lüdenscheidt.txt")
    checkout.git.commit("-qm", "merged")
    checkout.git.rm("-q", "Jörg-Müller-Lüdenscheidt.txt")
    checkout.git.commit("-qm", "gone")
    assert not search_only(HERE, "Jörg-Müller-Lüdenscheidt", PARAMETERS, _layout())


def test_git_history_and_experiments_are_named(project, capsys):
    Path("list.txt").write_text(PERSON)
    checkout = GitRepo()
    checkout.git.add("list.txt")
    checkout.git.commit("-qm", "a list")
    checkout.git.rm("-q", "list.txt")
    checkout.git.commit("-qm", "no list")
    for name in ("ab/cdef/tidy-dog", "exec/EXEC_HEAD"):
        checkout.git.update_ref(f"refs/exps/{name}", "HEAD")
    assert forgotten(do=True)
    printed = capsys.readouterr().out
    assert "The history of git has the patient." in printed
    assert "git filter-repo --replace-text FILE" in printed
    assert "1 experiment has outputs" in printed
    assert "of git has models" not in printed
    assert "dvc exp remove --all-commits" in printed


def test_the_command_reads_the_name_from_anywhere_but_prints_it_nowhere(project, monkeypatch):
    Path("name.txt").write_text(f"{PERSON}\n")
    unknown = run_module("graft", "forget", "Nobody-1")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: the patient: is in none of the domains lung, liver,")
    assert unknown.stderr.count("\n") == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PERSON}\n"))
    for words in (("-",), ("--file", "name.txt")):
        found = run_module("graft", "forget", *words)
        assert found.returncode == 0
        assert f"The patient ({PSEUDONYM})" in found.stdout
        assert PERSON not in found.stdout + found.stderr
    assert run_module("graft", "forget", "--search", PERSON).returncode == 1
    for words in ((PERSON, "--file", "name.txt"), ("--search", "--yes", PERSON), ()):
        assert run_module("graft", "forget", *words).returncode == 2
