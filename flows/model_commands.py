"""What a flow does with a trained model: `graft predict` and `graft drift`."""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows import command
from flows.new_lesions import NewLesion, write_manifest
from flows.reasons import MEMORY, public_reason
from graft.common.files import InputError, read_json, sha256, write_json
from graft.common.shown import counted

CARD = "card.json"
FITTED = "fitted.json"  # of a model folder; older ones have none
FIRST_LINE = 2  # of the lesions in the manifest that a flow writes
TOO_FEW = 4  # exit code of `graft drift` with too few scans

Rows = list[dict]


@dataclass(frozen=True)
class ModelCommands:
    """The commands for one model.

    Attributes:
        root: the folder of the repository.
        model: the folder of the model.
        work: a folder in `root` for the files of one run.
    """

    root: Path
    model: Path
    work: Path

    @property
    def scans(self) -> Path:
        """The folder of the scans to predict."""
        return self.work / "scans"

    def digest(self) -> str:
        """Return the SHA-256 of the model, as `graft predict` writes it.

        Raises:
            InputError: if the folder has no model.
        """
        digests = {name: sha256(self.model / name) for name in (CARD, "weights.safetensors")}
        if (self.model / FITTED).exists():
            digests[FITTED] = sha256(self.model / FITTED)
        return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()

    def covariates(self) -> list[str]:
        """Return the names of the clinical covariates that the model reads."""
        columns = read_json(self.model / CARD).get("covariates", [])
        return [column["name"] for column in columns]

    def predict(self, lesions: Sequence[NewLesion]) -> tuple[Rows, Rows]:
        """Predict lesions whose files are in `scans`.

        Returns:
            The predictions and the failures, as they are published.

        Raises:
            InputError: if the command does not say something of each lesion.
        """
        write_manifest(self.scans, lesions)
        out = self.work / "predictions"
        words = ("predict", self.scans, "--model", self.model, "--out", out)
        ended = self._run(*words, is_quiet=True)  # neither an answer nor a cell belongs in a log
        path = out / "predictions.json"
        content = read_json(path) if path.exists() else {"predictions": [], "failures": []}
        lines = [row["line"] for row in content["predictions"] + content["failures"]]
        if set(lines) != set(range(FIRST_LINE, FIRST_LINE + len(lesions))):
            raise InputError(
                f"graft predict ended with {ended.status}: has {counted(len(lines), 'result')}, "
                f"expected one for each of {counted(len(lesions), 'lesion')}; run it by hand to "
                "see why, as its messages may have names"
            )
        predictions = [_publishable(row, lesions) for row in content["predictions"]]
        failures = [_publishable(row, lesions) for row in content["failures"]]
        return predictions, [_without_quotes(row) for row in failures]

    def drift(self, nights: Iterable[Rows], window: int) -> tuple[dict | None, str | None]:
        """Compare the last scans with the reference of the model.

        Args:
            nights: predictions, the newest first.
            window: how many scans are compared.

        Returns:
            drift.json, or the reason why there is none: too few scans.

        Raises:
            InputError: if the command fails.
        """
        files = []
        for number, rows in enumerate(nights):
            files.append(self.work / f"night-{number:04d}.json")
            write_json(files[-1], {"predictions": rows})
        out = self.work / "drift.json"
        words = ("--model", self.model, "--window", str(window), "--out", out)
        ended = self._run("drift", *reversed(files), *words)
        if ended.status == TOO_FEW:
            return None, _last(ended)
        if ended.status:
            raise InputError(f"graft drift ended with {ended.status}: {_last(ended)}")
        return read_json(out), None

    def _run(self, *words: str | Path, is_quiet: bool = False) -> command.Ended:
        """Run a command of graft. No word names the folder of the repository, as logs keep them.

        Args:
            words: the command and its arguments.
            is_quiet: whether nothing that it prints is logged.
        """
        shown = [without_root(str(word), self.root) for word in words]
        line = [sys.executable, "-m", "graft", *shown]
        if is_quiet:
            line = ["sh", "-c", 'exec "$@" > /dev/null 2>&1', "graft", *line]
        return command.run_command(line, self.root)


def without_root(text: str, root: Path) -> str:
    """Return a text with paths relative to a folder."""
    return text.replace(f"{root}/", "")


def _publishable(row: Mapping, lesions: Sequence[NewLesion]) -> dict:
    """Return a row that names its scan by its content and its line in the source."""
    lesion = lesions[row["line"] - FIRST_LINE]
    kept = {name: value for name, value in row.items() if name != "map"}
    return {**kept, "scan": lesion.scan, "line": lesion.line, "key": lesion.key}


def _without_quotes(failure: Mapping) -> dict:
    """Return a failure that quotes no cell. One that another run may not repeat has no key."""
    reason = public_reason(failure["reason"])
    return {**failure, "reason": reason, "key": None if reason == MEMORY else failure["key"]}


def _last(ended: command.Ended) -> str:
    lines = [line for line in ended.tail if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else f"it ended with {ended.status}"
