"""Train the fine-tuned network further, with the augmented loss, L1 and L2."""

from graft.common.parameters import Section, read_parameters
from graft.console import run
from graft.data.task import read_task
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.training.fitting import log_curves, parent_reference, save_trained, train_network
from graft.training.plan import Plan
from graft.training.settings import Augment, Recipe, Training
from stages import paths

PARENT = paths.FINETUNED["transfer"]


class Parameters(Section):
    """What this stage reads of params.yaml."""

    target: str
    training: Training
    augment: Augment
    regularize: Recipe
    seed: int


def main() -> None:
    """Write models/regularized and the curves of the training."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    use_deterministic_algorithms()
    device = pick_device(parameters.training.device)
    parent = load_model(PARENT, device)
    target = parameters.target
    task = read_task(
        paths.processed(target),
        paths.split(target),
        device,
        parent.encoding,
        memory=parameters.training.memory,
        records=paths.VERIFIED,
    )
    plan = Plan(
        recipe=parameters.regularize,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose="regularize",
        checkpoints=paths.CHECKPOINTS,
        keep_start=True,
    )
    with log_curves(paths.CURVES / "regularize") as log:
        best = train_network(parent.networks[0], task, plan, log)
    card = {"parent": parent_reference(PARENT), "scores": best}
    architecture = parent.card["architecture"]
    save_trained(paths.REGULARIZED, parent.networks, architecture, task, plan, card)


if __name__ == "__main__":
    run(main)
