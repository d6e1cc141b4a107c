"""Train with some shares of the labels, several times each, for the learning curve."""

from pydantic import Field

from graft.common.parameters import Weight, read_parameters
from graft.console import run, say
from graft.data.reference import DomainReference
from graft.data.sealed_tables import write_sealed_table
from graft.data.split import read_split
from graft.networks.card import write_no_model
from graft.networks.device import pick_device
from graft.networks.reference import ModelReference
from graft.repeated.deep_ensemble import save_deep_ensemble
from graft.repeated.learning_curve import empty_table, seeds_of_draws, train_learning_curve
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
    """Write the predictions of every training, and the mean of those with all labels as a model.

    The table is empty if draws is 0.
    """
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    wanted = parameters.learning_curve
    target = DomainReference.to(paths.processed(parameters.target), paths.VERIFIED)
    domain = target.read()
    if not wanted.draws:
        write_sealed_table(OUTPUT, empty_table(domain.classes))
        write_no_model(paths.DEEP, "learning_curve.draws is 0")
        say("learning curve: off, because learning_curve.draws is 0")
        return
    trainings = RepeatedTrainings(
        stage="learning_curve",
        target=target,
        settings=parameters.alone(),
        device=pick_device(parameters.training.device),
        checkpoints=paths.CHECKPOINTS,
    )
    parts = read_split(paths.split(parameters.target), domain.index)
    model = ModelReference.to(paths.PRETRAINED)
    source = PulledSource(paths.PRETRAINED.name, model, parameters.lambda_)
    table, kept = train_learning_curve(
        trainings,
        parts=parts,
        shares=[*wanted.shares, 1.0],
        draws=wanted.draws,
        source=source,
        arms=wanted.arms,
        seed=parameters.seed,
        cache=paths.TRAININGS / "learning_curve",
    )
    write_sealed_table(OUTPUT, table)
    seeds = seeds_of_draws(trainings, wanted.draws, parameters.seed)
    save_deep_ensemble(paths.DEEP, trainings, parts, source, seeds, kept)
    say(f"learning curve: wrote {len(table)} predictions to {OUTPUT}")


if __name__ == "__main__":
    run(main)
