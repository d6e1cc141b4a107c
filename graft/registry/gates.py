"""The gates that a model has to pass before it gets a version or a stage."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dvc.exceptions import DvcException

from graft.common.files import InputError, check_sha256, read_json
from graft.common.gates import Gate, Judgement, judge_gates, look_up
from graft.common.parameters import Section, check_parameters
from graft.common.shown import counted, first_line
from graft.common.vocabulary import REFERENCE
from graft.common.yaml_file import read_yaml
from graft.networks.card import read_card
from graft.registry.history import History
from graft.registry.project import Project
from graft.registry.runs import read_metrics
from graft.registry.stages import check_unchanged

PRODUCTION = "production"
AUROC = "models.chosen.test.auroc.value"
DEFAULT_DROP = 0.05  # of a run without a margin
CASES = ("index", "split")  # of hashes.target: the same lesions and labels in the same parts
LISTED = 4  # names in one line


class GateFile(Section):
    """A file of gates, as a Prefect deployment has them in its parameters."""

    gates: list[Gate]


@dataclass(frozen=True)
class Evidence:
    """What the gates look at.

    `wanted` are the gates of a file; None: the AUROC may fall below that in production by the
    margin of the run.
    """

    project: Project
    history: History
    metrics: Path
    wanted: Sequence[Gate] | None


def read_gates(path: Path) -> list[Gate]:
    """Read a YAML or JSON file with the key `gates`.

    Raises:
        InputError: if it cannot be read or has something else.
    """
    return list(check_parameters(GateFile, read_yaml(path), path).gates)


def judge(evidence: Evidence) -> Iterator[Judgement]:
    """Yield what each gate finds. The last ones need metrics.json and stop if it fails."""
    for name, gate in REPOSITORY_GATES.items():
        yield _judged(name, partial(gate, evidence))
    of_model = _judged("metrics", partial(check_metrics, evidence))
    yield of_model
    if not of_model.passed:
        return
    metrics = read_json(evidence.metrics)
    for name, check in METRIC_GATES.items():
        yield _judged(name, partial(check, metrics))
    yield from _judge_numbers(evidence, metrics)


def _judged(name: str, gate: Callable[[], str]) -> Judgement:
    try:
        return Judgement(name, True, gate())
    except InputError as error:
        return Judgement(name, False, str(error))
    except DvcException as error:  # such as a remote that does not answer
        return Judgement(name, False, first_line(error))


def check_commit(evidence: Evidence) -> str:
    """The commit has everything that the run used."""
    project = evidence.project
    changed = project.git.git.status("--porcelain").splitlines()
    if changed:
        files = _listed([line.split(maxsplit=1)[1] for line in changed])
        raise InputError(f"{files}: not committed, expected a clean working tree")
    return "the working tree is clean"


def check_pipeline(evidence: Evidence) -> str:
    """No stage behind the model has changed since it ran."""
    stage = evidence.project.output(evidence.project.model).stage
    number = check_unchanged(evidence.project.repo, stage)
    return f"{counted(number, 'stage')} up to {stage.addressing} did not change since the run"


def check_outputs(evidence: Evidence) -> str:
    """The model and metrics.json are what dvc.lock says, and DVC's cache has them."""
    paths = []
    for path in (evidence.project.model, evidence.metrics):
        output = evidence.project.output(path)
        (status, *_) = output.status().values() or [None]
        if status == "not in cache":
            raise InputError(f"{output}: is not in DVC's cache; run `dvc commit {output}`")
        if status:
            raise InputError(f"{output}: is {status}, expected what dvc.lock has; run `dvc pull`")
        paths.append(str(output))
    return f"{' and '.join(paths)} are those of dvc.lock"


def check_remote(evidence: Evidence) -> str:
    """Others can fetch the model: DVC's default remote has it, if there is one."""
    repo = evidence.project.repo
    name = repo.config["core"].get("remote")
    if not name:
        return "DVC has no default remote, so only this repository's cache has the model"
    paths = [str(evidence.project.output(evidence.project.model)), str(evidence.metrics)]
    found = repo.status(targets=paths, cloud=True)
    absent = [file for file, status in found.items() if status in ("new", "missing")]
    if absent:
        raise InputError(f"{_listed(absent)}: not in the DVC remote {name}; run `dvc push`")
    return f"the DVC remote {name} has the model and its metrics"


def check_metrics(evidence: Evidence) -> str:
    """metrics.json is about this model."""
    model, path = evidence.project.model, evidence.metrics
    metrics, card = read_json(path), read_card(model)
    chosen = look_up(metrics, "chosen.model")
    named = look_up(metrics, f"hashes.models.{chosen}")
    check_sha256(model / "weights.safetensors", card["weights_sha256"])
    if named != card["weights_sha256"]:
        raise InputError(
            f"{path.name}: is about the weights {str(named)[:12]}, but {model.name} has "
            f"{card['weights_sha256'][:12]}, expected one run; run `dvc repro`"
        )
    return f"{path.name} is about this model, {chosen}"


def check_leaks(metrics: Mapping) -> str:
    """All checks for leaks passed."""
    checks = metrics.get("checks")
    if not checks:
        raise InputError("metrics.json lists no check for leaks, expected those of `check`")
    failed = [f"{each['name']} ({each['domain']})" for each in checks if not each["passed"]]
    if failed:
        raise InputError(f"failed: {_listed(failed)}, expected every check for leaks to pass")
    return f"{counted(len(checks), 'check')} for leaks passed"


def check_verdict(metrics: Mapping) -> str:
    """Transfer does not harm, or the model was trained from scratch."""
    verdict, chosen = metrics.get("verdict"), look_up(metrics, "chosen.model")
    if verdict is None:
        raise InputError("metrics.json has no verdict on transfer, expected one")
    if verdict != "harms":
        return f"transfer: {verdict}"
    if chosen != REFERENCE:
        raise InputError(f"transfer harms, expected another verdict, or {REFERENCE} to be chosen")
    return f"transfer harms, but the chosen model is {REFERENCE}"


REPOSITORY_GATES: dict[str, Callable[[Evidence], str]] = {
    "commit": check_commit,
    "pipeline": check_pipeline,
    "outputs": check_outputs,
    "remote": check_remote,
}
METRIC_GATES: dict[str, Callable[[Mapping], str]] = {"leaks": check_leaks, "verdict": check_verdict}


def _judge_numbers(evidence: Evidence, metrics: Mapping) -> Iterator[Judgement]:
    """Yield what the gates on numbers find, compared with the version in production."""
    gates = evidence.wanted
    if gates is None:
        margin = metrics.get("margin")
        gates = [Gate(metric=AUROC, drop=DEFAULT_DROP if margin is None else margin)]
    former: Mapping = {}
    note = ""
    if any(gate.drop is not None for gate in gates):
        try:
            former, note = _former(evidence, metrics)
        except InputError as error:
            yield Judgement(PRODUCTION, False, str(error))
            return
    for found in judge_gates(gates, metrics, former):
        yield Judgement(found.gate, found.passed, f"{found.text}{note}")


def _former(evidence: Evidence, metrics: Mapping) -> tuple[Mapping, str]:
    """The metrics of the version in production, and why there are none to compare with."""
    present = evidence.history.in_stage(PRODUCTION)
    if present is None:
        return {}, f"; nothing is in {PRODUCTION} to compare with"
    path = evidence.project.relative(evidence.metrics)
    found = read_metrics(evidence.project, present.commit, path)
    if _same_cases(metrics, found):
        return found, f" ({present.name} in {PRODUCTION})"
    return {}, f"; {present.name} in {PRODUCTION} was tested on other cases, so not compared"


def _same_cases(metrics: Mapping, former: Mapping) -> bool:
    """Whether two runs tested the same lesions; their images may be processed differently."""
    pairs = [
        [look_up(document, f"hashes.target.{name}") for document in (metrics, former)]
        for name in CASES
    ]
    return all(one is not None and one == other for one, other in pairs)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
