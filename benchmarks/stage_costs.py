"""What each stage of the pipeline costs on phantom cohorts of several sizes."""

from dataclasses import asdict, dataclass
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.clone import measure_command, print_note, run_dvc, update_clone
from graft.common.files import read_json, whole_file, write_json

PATIENTS = {"lung": 8, "liver": 20}  # the fewest that can be split and folded
SIZES = (1.0, 4.0, 16.0)  # the first one gives the cost of starting
SPLIT = {"test": 0.4, "validation": 0.2, "labelled": 1.0}
EPOCHS = 2
DRAWS = 2
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # a second one waits in a loop, which is processor time
FOLDS = {"folds": 2, "repeats": 1}
STAGES = {  # each stage with the arguments of its commands
    "phantom": tuple(PATIENTS),
    "preprocess": tuple(PATIENTS),
    "split": tuple(PATIENTS),
    "check": ("",),
    "self_supervise": ("",),
    "pretrain": ("",),
    "rank_sources": ("",),
    "finetune": ("transfer", "scratch"),
    "regularize": ("",),
    "ensemble": ("bagging", "boosting"),
    "learning_curve": ("",),
    "cross_validate": ("",),
    "attack": ("",),
    "evaluate": ("",),
    "explain": ("",),
    "report": ("",),
}


@dataclass(frozen=True)
class StageCost:
    """What one stage costs on a cohort: the sum and the maximum over its commands.

    `seconds` is the elapsed time, `processor` the processor time in seconds, and `peak` the
    memory of all processes in bytes.
    """

    stage: str
    size: float
    lesions: int
    seconds: float
    processor: float
    peak: int


def measure_all(folder: Path) -> list[StageCost]:
    """Measure every stage on every cohort, and keep each result in growth.json at once."""
    kept = folder / "growth.json"
    costs = [StageCost(**cost) for cost in read_json(kept)["costs"]] if kept.exists() else []
    measured = {(cost.stage, cost.size) for cost in costs}
    clones = {size: folder / f"size-{size:g}" for size in SIZES}
    for size, clone in clones.items():  # all of them first, so that they have the same revision
        if not clone.exists():
            update_clone(clone)
            write_parameters(clone, size)
    for size, clone in clones.items():
        for stage in STAGES:
            if (stage, size) in measured:
                continue
            costs.append(measure_stage(clone, stage, size))
            print_note(f"growth: size {size:g}, {stage}: {costs[-1].seconds:.1f} s")
            with whole_file(kept) as partial:
                write_json(partial, {"costs": [asdict(cost) for cost in costs]})
    return costs


def write_parameters(clone: Path, size: float) -> None:
    """Write the parameters of a cohort into a clone."""
    yaml = YAML()
    path = clone / "params.yaml"
    parameters = yaml.load(path)
    for organ, patients in PATIENTS.items():
        parameters["phantom"][organ]["patients"] = round(patients * size)
        parameters["domains"][organ]["split"].update(SPLIT)
    for training in ("self_supervise", "pretrain", "finetune", "regularize", "ensemble"):
        parameters[training]["epochs"] = EPOCHS
    parameters["self_supervise"]["domains"] = "source"  # as folds test the target
    parameters["learning_curve"]["draws"] = DRAWS
    parameters["cross_validation"].update(FOLDS)
    with path.open("w") as file:
        yaml.dump(parameters, file)


def measure_stage(clone: Path, stage: str, size: float) -> StageCost:
    """Run the commands of a stage in a clone.

    The report reads the parameters of all stages from DVC's lock files, so DVC writes them first.
    """
    if stage == "report":
        measure_command(clone, "python", "-m", "stages.parameters")
        run_dvc(clone, "commit", "--force", "--quiet", "--with-deps", "explain")
    costs = []
    for argument in STAGES[stage]:
        words = [argument] if argument else []
        command = ["python", "-m", f"stages.{stage}", *words]
        costs.append(measure_command(clone, *command, settings=ONE_THREAD))
    return StageCost(
        stage=stage,
        size=size,
        lesions=count_lesions(clone),
        seconds=sum(cost.seconds for cost in costs),
        processor=sum(cost.processor_seconds for cost in costs),
        peak=max(cost.peak for cost in costs),
    )


def count_lesions(clone: Path) -> int:
    """Return the number of lesions in both domains."""
    lesions = 0
    for organ in PATIENTS:
        manifest = clone / "data/phantom" / organ / "manifest.csv"
        lesions += len(manifest.read_text(encoding="utf-8").splitlines()) - 1
    return lesions
