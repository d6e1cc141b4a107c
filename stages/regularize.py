"""Train the fine-tuned network further, with the augmented loss, L1 and L2."""

from graft.common.parameters import Section, read_parameters
from graft.console import run
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.settings import Predict
from graft.training.continuation import Continuation
from graft.training.cross_fit import train_stage
from graft.training.plan import Plan
from graft.training.settings import Augment, Recipe, Training
from graft.training.stage import Labelled
from stages import paths

PARENT = paths.FINETUNED["transfer"]


class Parameters(Section):
    """What this stage reads of params.yaml."""

    target: str
    training: Training
    augment: Augment
    regularize: Recipe
    predict: Predict
    seed: int


def main() -> None:
    """Write models/regularized and the curves of the training."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    use_deterministic_algorithms()
    target = parameters.target
    labelled = Labelled.read(paths.processed(target), paths.split(target), paths.VERIFIED)
    plan = Plan(
        recipe=parameters.regularize,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose="regularize",
        checkpoints=paths.CHECKPOINTS,
        keep_start=True,
    )
    device = pick_device(parameters.training.device)
    stage = Continuation(labelled, device, plan, parameters.predict, PARENT)
    train_stage(stage, paths.REGULARIZED, paths.CURVES / "regularize", keep=True)


if __name__ == "__main__":
    run(main)
