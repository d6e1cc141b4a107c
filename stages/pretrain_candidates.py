"""Train on every further domain that is a candidate for the source."""

from pathlib import Path

from pydantic import Field

from graft.common.files import whole_folder, write_json
from graft.common.parameters import Section, read_parameters
from graft.console import run, say
from graft.data.task import read_task
from graft.leakage.cohorts import Cohort, across
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.settings import Network
from graft.ranking.settings import Sources
from graft.training.checkpoint import clear_checkpoints
from graft.training.fitting import write_trained
from graft.training.loop import Plan
from graft.training.settings import Augment, Training
from graft.transfer.settings import Pretrain
from graft.transfer.start import fit_start, start_from_scratch
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    source: str
    target: str
    sources: Sources
    network: Network
    training: Training
    augment: Augment
    pretrain: Pretrain
    seed: int
    folds: int = Field(alias="cross_validation.folds")


def main() -> None:
    """Write a model for each candidate, and a list of the folders of all sources."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    candidates = parameters.sources.candidates
    for name in candidates:  # the stage `check` has looked at the source itself
        check_leaks(name, parameters)
    folders = {source_name(parameters): paths.PRETRAINED.as_posix()}
    plans = []
    with whole_folder(paths.CANDIDATES) as partial:
        for name in candidates:
            plans.append(train(name, partial / name, parameters))
            folders[name] = (paths.CANDIDATES / name).as_posix()
        write_json(partial / "sources.json", folders)
    for plan in plans:
        clear_checkpoints(plan.checkpoints / plan.stage)
    say(f"sources: {', '.join(folders)}")


def source_name(parameters: Parameters) -> str:
    """The name of the source itself. Of a weight file it is the name, as a path tells too much."""
    if parameters.pretrain.source == parameters.source:
        return parameters.source
    return Path(parameters.pretrain.source).name


def check_leaks(name: str, parameters: Parameters) -> None:
    """Raise InputError if a candidate shares patients or images with the target's tests."""
    candidate = Cohort.read(paths.processed(name), paths.split(name))
    target = Cohort.read(paths.processed(parameters.target), paths.split(parameters.target))
    across(candidate, target, everybody=parameters.folds > 0)


def train(name: str, folder: Path, parameters: Parameters) -> Plan:
    """Train on one candidate as `pretrain` does, and write its model into `folder`."""
    use_deterministic_algorithms()
    device = pick_device(parameters.training.device)
    task = read_task(paths.processed(name), paths.split(name), device)
    start = start_from_scratch(parameters.network, task, parameters.seed, device)
    plan = Plan(
        recipe=parameters.pretrain,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose=f"pretrain-{name}",
        checkpoints=paths.CHECKPOINTS,
    )
    best = fit_start(start, task, plan)
    folder.mkdir()
    card = {"parent": None, "scores": best}
    write_trained(folder, [start.network], start.architecture, task, plan, card)
    return plan


if __name__ == "__main__":
    run(main)
