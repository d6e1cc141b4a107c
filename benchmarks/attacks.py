"""Can one infer who was in the training data: of an overfitted model, a usual and a private one?

    dvc repro
    python -m benchmarks.attacks
    python -m benchmarks.attacks --shadows

Draws patients of a finished run's source anew as members, trains on them from scratch, and attacks
with 150 other patients of the same site. With --shadows, repeats of two folds over members and
others provide shadow models, and LiRA is compared with the loss threshold on the same models.
Prints tables in Markdown. Finished trainings are kept in --workdir, so that the same command
resumes. Takes about 9 minutes on one core, and with --shadows as long again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated

import typer

from benchmarks.attack_trials import REPEATS, Arm, Trial, measure
from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.parallel import run_parallel
from graft.console import run, say
from graft.membership.attack import FALSE_POSITIVES, LIRA, LOSS
from graft.membership.bound import Guarantee

DRAWS = 3
SHADOW_DRAWS = 9
FEW, MANY = 20, 100  # members: as in the default target, and for private training
DEFAULT = Arm("default", FEW)
ARMS = (
    Arm("overfitted", FEW, overfitted=True),
    DEFAULT,
    Arm("default", MANY),
    *(Arm(f"private, ε = {epsilon:g}", MANY, epsilon=epsilon) for epsilon in (8.0, 3.0, 1.0)),
)


def main(
    folder: Annotated[Path, typer.Option("--run", help="The folder of the finished run.")] = ROOT,
    shadows: Annotated[bool, typer.Option("--shadows", help="Compare LiRA instead.")] = False,
    draws: Annotated[int | None, typer.Option(help="How often members are drawn.")] = None,
    workdir: Annotated[Path, typer.Option(help="Keeps the figures of finished trainings.")] = ROOT
    / ".graft/benchmarks/attacks",
) -> None:
    """Measure how well members are found."""
    workdir.mkdir(parents=True, exist_ok=True)
    arms = [DEFAULT] if shadows else list(ARMS)
    count = draws or (SHADOW_DRAWS if shadows else DRAWS)
    trials = []
    for draw in range(count):
        trials += [Trial(arm, draw, folder.resolve(), workdir, shadows) for arm in arms]
    found = run_parallel(measure, trials, lambda number: say(f"{trials[number].result.name}"))
    by_arm = {arm: [] for arm in arms}
    for trial, figures in zip(trials, found, strict=True):
        by_arm[trial.arm].append(figures)
    (print_shadows if shadows else print_attacks)(by_arm)


def print_attacks(by_arm: Mapping[Arm, Sequence[Mapping[str, float]]]) -> None:
    """Print the table, and report the AUC of each arm beside what is aimed at."""
    head = ["training", "members", "AUC of the attack", "found at 1 % false positives"]
    for line in markdown_head(*head, "AUC allowed", "found allowed", "AUROC of the diagnosis"):
        say(line)
    for arm, figures in by_arm.items():
        allowed = ["–", "–"]
        if arm.epsilon:
            guarantee = Guarantee(arm.epsilon, 0)
            most = guarantee.most_true_positives(FALSE_POSITIVES)
            allowed = [f"{guarantee.largest_auc:.3f}", f"{most:.3f}"]
        found = [spread(figures, name) for name in ("auc", "tpr")]
        say(markdown_row(arm.name, str(arm.members), *found, *allowed, spread(figures, "auroc")))
    for arm, figures in by_arm.items():
        report(
            Comparison(
                what=f"AUC of membership inference, {arm.name}, {arm.members} patients",
                unit="",
                graft=mean(figure["auc"] for figure in figures),
                peer="guessing",
                of_peer=0.5,
                more_is_better=arm.overfitted,
                bound=0.8 if arm.overfitted and arm.members == FEW else None,
                note=f"{len(figures)} draws",
            )
        )


def print_shadows(by_arm: Mapping[Arm, Sequence[Mapping[str, float]]]) -> None:
    """Print LiRA with two and more shadow models beside the loss threshold."""
    head = ["training", "attack", "AUC", "gain in AUC", "found at 1 % false positives"]
    for line in markdown_head(*head):
        say(line)
    for arm, figures in by_arm.items():
        say(markdown_row(arm.name, LOSS, spread(figures, "auc"), "–", spread(figures, "tpr")))
        for count in range(2, REPEATS + 1):
            gains = [{"gain": row[f"auc {count}"] - row["auc"]} for row in figures]
            found = [spread(figures, f"auc {count}"), spread(gains, "gain", "+")]
            rate = spread(figures, f"tpr {count}")
            say(markdown_row(arm.name, f"{LIRA}, {count} shadow models", *found, rate))


def spread(figures: Sequence[Mapping[str, float]], name: str, sign: str = "") -> str:
    """The mean over the draws with its standard error."""
    values = [row[name] for row in figures]
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{mean(values):{sign}.3f} ± {error:.3f}"


if __name__ == "__main__":
    run(main)
