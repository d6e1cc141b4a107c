"""Rank the sources by their distance to the target and by how well their networks may transfer."""

from pathlib import Path

import torch
from pydantic import Field

from graft.common.documents import check_schema, clean
from graft.common.files import read_sealed, whole_file, write_sealed
from graft.common.parameters import Section, read_parameters
from graft.common.seeds import derive
from graft.common.vocabulary import RANDOM
from graft.console import run, say
from graft.data.task import Task, read_task
from graft.networks.build import architecture_for, build_network
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import Model, load_model
from graft.networks.settings import Device, Network
from graft.ranking.rank import SCHEMA, rank_sources
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    target: str
    network: Network
    device: Device = Field(alias="training.device")
    seed: int


def main() -> None:
    """Write metrics/sources.json, before any training on the target."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    use_deterministic_algorithms()
    device = pick_device(parameters.device)
    target = parameters.target
    task = read_domain_task(target, device)
    models = {}
    trained_on = {}
    for name, folder in read_sealed(paths.SOURCE_LIST).items():
        models[name] = load_model(Path(folder), device)
        # Weights from elsewhere have no training part here, and a private one is not described.
        if not {"weights", "privacy"} & set(models[name].card):
            trained_on[name] = read_domain_task(name, device).train
    architecture = architecture_for(parameters.network, task.domain)
    fresh = build_network(**architecture, seed=derive(parameters.seed, "network"))
    models[RANDOM] = Model({"architecture": architecture}, [fresh.to(device).eval()])
    ranking = clean(rank_sources(task, models, trained_on))
    check_schema(ranking, SCHEMA)
    with whole_file(paths.SOURCES) as path:
        write_sealed(path, ranking)
    for row in ranking["ranking"]:
        say(f"sources: {row['source']} for {target}: LogME {row['logme']:.3f}")


def read_domain_task(name: str, device: torch.device) -> Task:
    """Read the task of a domain. Its images are read once, so they stay in their file."""
    return read_task(paths.processed(name), paths.split(name), device, records=paths.VERIFIED)


if __name__ == "__main__":
    run(main)
