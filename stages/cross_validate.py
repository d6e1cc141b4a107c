"""Train in every fold of a repeated cross-validation, with every source, strategy and λ."""

from pathlib import Path

from pydantic import Field

from graft.common.files import read_sealed
from graft.common.parameters import Weight, read_parameters
from graft.console import run, say
from graft.data.reference import DomainReference
from graft.data.repeats import pool_for_cross_validation
from graft.data.sealed_tables import write_sealed_table
from graft.data.split import read_split
from graft.networks.device import pick_device
from graft.networks.reference import ModelReference
from graft.repeated.cross_validation import all_candidates, empty_table, train_folds
from graft.repeated.settings import CrossValidation, RepeatedFinetuning
from graft.repeated.trainings import RepeatedTrainings
from stages import paths

OUTPUT = paths.REPEATED["cross_validation"]


class Parameters(RepeatedFinetuning):
    """What this stage reads of params.yaml."""

    target: str
    lambda_: Weight = Field(alias="lambda")
    cross_validation: CrossValidation
    seed: int


def main() -> None:
    """Write the predictions of every training; the table is empty if folds is 0."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    wanted = parameters.cross_validation
    target = DomainReference.to(paths.processed(parameters.target), paths.VERIFIED)
    domain = target.read()
    if not wanted.folds:
        write_sealed_table(OUTPUT, empty_table(domain.classes))
        say("cross-validation: off, because cross_validation.folds is 0")
        return
    trainings = RepeatedTrainings(
        stage="cross_validate",
        target=target,
        settings=parameters.alone(),
        device=pick_device(parameters.training.device),
        checkpoints=paths.CHECKPOINTS,
    )
    folders = read_sealed(paths.SOURCE_LIST)
    models = {name: ModelReference.to(Path(folder)) for name, folder in folders.items()}
    parts = read_split(paths.split(parameters.target), domain.index)
    rows, validation = pool_for_cross_validation(parts, domain.index)
    strategies = wanted.strategies or [parameters.finetune.strategy]
    table = train_folds(
        trainings,
        rows=rows,
        count=wanted.folds,
        repeats=wanted.repeats,
        validation=validation,
        candidates=all_candidates(models, strategies, wanted.lambdas or [parameters.lambda_]),
        seed=parameters.seed,
        cache=paths.TRAININGS / "cross_validate",
    )
    write_sealed_table(OUTPUT, table)
    say(f"cross-validation: wrote {len(table)} predictions to {OUTPUT}")


if __name__ == "__main__":
    run(main)
