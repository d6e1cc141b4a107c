"""Train with some shares of the labels, several times each, for the learning curve."""

from pydantic import Field

from graft.common.parameters import Weight, read_parameters
from graft.console import run, say
from graft.data.reference import DomainReference
from graft.data.sealed_tables import write_sealed_table
from graft.data.split import read_split
from graft.networks.device import pick_device
from graft.networks.reference import ModelReference
from graft.repeated.learning_curve import empty_table, train_learning_curve
from graft.repeated.settings import LearningCurve, RepeatedFinetuning
from graft.repeated.trainings import PulledSource, RepeatedTrainings
from stages import paths

OUTPUT = paths.REPEATED["learning_curve"]


class Parameters(RepeatedFinetuning):
    """What this stage reads of params.yaml."""

    target: str
    lambda_: Weight = Field(alias="lambda")
    learning_curve: LearningCurve
    seed: int


def main() -> None:
    """Write the predictions of every training; the table is empty if draws is 0."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    wanted = parameters.learning_curve
    target = DomainReference.to(paths.processed(parameters.target), paths.VERIFIED)
    domain = target.read()
    if not wanted.draws:
        write_sealed_table(OUTPUT, empty_table(domain.classes))
        say("learning curve: off, because learning_curve.draws is 0")
        return
    trainings = RepeatedTrainings(
        stage="learning_curve",
        target=target,
        settings=parameters.alone(),
        device=pick_device(parameters.training.device),
        checkpoints=paths.CHECKPOINTS,
    )
    model = ModelReference.to(paths.PRETRAINED)
    table = train_learning_curve(
        trainings,
        parts=read_split(paths.split(parameters.target), domain.index),
        shares=[*wanted.shares, 1.0],
        draws=wanted.draws,
        source=PulledSource(paths.PRETRAINED.name, model, parameters.lambda_),
        arms=wanted.arms,
        seed=parameters.seed,
        cache=paths.TRAININGS / "learning_curve",
    )
    write_sealed_table(OUTPUT, table)
    say(f"learning curve: wrote {len(table)} predictions to {OUTPUT}")


if __name__ == "__main__":
    run(main)
