"""Learn from images of source and target without their labels, before pretraining."""

from graft.common.parameters import Section, read_parameters
from graft.common.seeds import derive
from graft.console import run, say
from graft.data.domain import Domain
from graft.networks.build import architecture_for, build_network
from graft.networks.card import write_no_model
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.settings import Network
from graft.selfsupervised.images import take_images
from graft.selfsupervised.saved import save_body
from graft.selfsupervised.settings import SelfSupervise
from graft.selfsupervised.train import plan_contrast, train_without_labels
from graft.selfsupervised.without_labels import read_images_without_labels, rows_without_labels
from graft.training.fitting import log_curves, write_empty_curves
from graft.training.settings import Augment, Training
from stages import paths

STAGE = "self_supervise"


class Parameters(Section):
    """What this stage reads of params.yaml."""

    source: str
    network: Network
    training: Training
    augment: Augment
    self_supervise: SelfSupervise
    seed: int


def main() -> None:
    """Write models/self_supervised, and the curve of its training."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    if parameters.self_supervise.epochs:
        train(parameters)
    else:
        write_empty_curves(paths.CURVES / STAGE)
        write_no_model(paths.SELF_SUPERVISED, "self_supervise.epochs is 0")


def train(parameters: Parameters) -> None:
    """Train the body of the network that `pretrain` starts from."""
    use_deterministic_algorithms()
    settings, seed = parameters.self_supervise, parameters.seed
    device = pick_device(parameters.training.device)
    seen = []
    for name, entry in read_images_without_labels(paths.WITHOUT_LABELS).items():
        domain = Domain.read(paths.processed(name), paths.VERIFIED)
        seen.append((domain, rows_without_labels(paths.WITHOUT_LABELS, entry, domain)))
    source = Domain.read(paths.processed(parameters.source), paths.VERIFIED)
    architecture = architecture_for(parameters.network, source)
    network = build_network(**architecture, seed=derive(seed, "network")).to(device)
    samples = take_images(seen, device, parameters.training.memory)
    counts = " and ".join(f"{len(rows)} of {domain.name}" for domain, rows in seen)
    say(f"{STAGE}: learns from {counts}, without labels")
    plan = plan_contrast(
        settings, parameters.training, parameters.augment, seed, STAGE, paths.CHECKPOINTS
    )
    with log_curves(paths.CURVES / STAGE) as log:
        last = train_without_labels(network, samples, plan, settings.temperature, log)
    card = {
        "architecture": architecture,
        "preprocessing": source.preprocessing,
        "self_supervise": settings.model_dump(),
        "scores": last,
    }
    save_body(paths.SELF_SUPERVISED, network, seen, plan, card)


if __name__ == "__main__":
    run(main)
