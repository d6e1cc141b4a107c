"""Federated training at three sites against one place, and against the largest site alone.

    python -m benchmarks.federated
    python -m benchmarks.federated --only "FedAvg, 1 epoch" --draws 3

Divides the patients of the phantom's lung among three sites of 120, 60 and 40 patients, 4 times,
with the same and with different shares of malignant lesions, and keeps 400 other patients for the
test. Every training has 20 epochs. Prints the validation loss over the validation patients of all
sites and the AUROC of the test, and the paired differences from training in one place.

So that this takes minutes, a voxel is the mean of 2×2×2 voxels of the default: 16³ of 2 mm. The
cohort is made by graft's own stages in a clone of the committed HEAD. The clone and the finished
trainings are kept in --workdir. Takes about 10 minutes on two cores.
"""

import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from sklearn.metrics import roc_auc_score

from benchmarks.clone import ROOT, kept_clone, run_dvc
from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.strategies import format_mean
from graft.common.files import whole_file, write_json
from graft.common.parallel import run_parallel
from graft.common.parameters import read_parameters
from graft.common.seeds import generator
from graft.console import counting, run, say
from graft.data.covariates import Encoding
from graft.data.domain import Domain
from graft.data.task import make_task
from graft.federated.local import pooled_class_weights
from graft.federated.settings import Rounds, SiteParameters
from graft.federated.simulate import simulate
from graft.federated.site import Site
from graft.keys.pseudonyms import PUBLISHED_KEY
from graft.networks.classifier import Classifier
from graft.networks.device import use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.training.fitting import train_network
from graft.training.loop import logits
from graft.training.plan import Plan
from graft.training.settings import Recipe
from graft.training.state import make_optimizer
from graft.transfer.start import start_from_scratch

SEED = 7
EPOCHS = 20
TESTED = 400  # patients
VALIDATES = 0.2  # share of the patients of a site
SIZES = {"a": 120, "b": 60, "c": 40}  # patients
SHARES = {
    "same shares": {"a": 0.5, "b": 0.5, "c": 0.5},
    "other shares": {"a": 0.5, "b": 0.9, "c": 0.1},
}  # of malignant patients
ONE_PLACE = "in one place"
ALONE = "largest site alone"


@dataclass(frozen=True)
class Method:
    """A way to train: federated, if it has rounds.

    Attributes:
        rounds: how often parameters are averaged.
        mu: μ of FedProx.
        keep: whether a site keeps the state of its optimizer between rounds.
    """

    rounds: int = 0
    mu: float = 0.0
    keep: bool = False


METHODS = {
    ONE_PLACE: Method(),
    ALONE: Method(),
    "FedAvg, 1 epoch": Method(20),
    "FedAvg, 1 epoch, optimizer kept": Method(20, keep=True),
    "FedAvg, 5 epochs": Method(4),
    "FedProx, 5 epochs, μ = 0.1": Method(4, mu=0.1),
    "FedProx, 5 epochs, μ = 1": Method(4, mu=1.0),
}


@dataclass(frozen=True)
class Trial:
    """One training: its method, its shares and its draw of the patients."""

    method: str
    shares: str
    draw: int


def main(
    draws: Annotated[int, typer.Option(help="How often the patients are divided.")] = 4,
    only: Annotated[list[str] | None, typer.Option(help="A method; can be repeated.")] = None,
    workdir: Annotated[
        Path, typer.Option(help="The folder of the clone and of the finished trainings.")
    ] = ROOT / ".graft/benchmarks/federated",
    clone: Annotated[
        Path | None, typer.Option(help="A clone after `preprocess` to use instead of a new one.")
    ] = None,
) -> None:
    """Compare federated training with training in one place and at the largest site."""
    if clone is None:
        with kept_clone(workdir) as folder:
            run_dvc(folder, "repro", "preprocess@lung")
            clone = folder
    methods = [name for name in METHODS if not only or name in only]
    trials = [
        Trial(method, shares, draw)
        for draw in range(draws)
        for shares in SHARES
        for method in methods
    ]
    work = partial(run_trial, folder=clone.absolute(), kept=workdir.absolute())
    with counting("federated", len(trials), "training") as show:
        scores = run_parallel(work, trials, lambda k: show(f"{asdict(trials[k])}"))
    found = dict(zip(trials, scores, strict=True))
    for shares in SHARES:
        say(f"\n{shares}\n")
        for line in result_table(methods, found, shares, draws):
            say(line)
    if not only:
        report_gap(found, draws)


def run_trial(trial: Trial, folder: Path, kept: Path) -> tuple[float, float]:
    """The validation loss and the test AUROC of a training, which is done once."""
    key = hashlib.sha256(repr((asdict(trial), METHODS[trial.method])).encode()).hexdigest()[:16]
    file = kept / f"trials/{key}.json"
    if not file.exists():
        with redirect_stdout(io.StringIO()):
            loss, area = score(trial, folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as path:
            write_json(path, {**asdict(trial), "loss": loss, "auroc": area})
    found = json.loads(file.read_text())
    return found["loss"], found["auroc"]


def score(trial: Trial, folder: Path) -> tuple[float, float]:
    """Train, and score the network on the validation patients of all sites and on the test."""
    use_deterministic_algorithms()
    domain = small(Domain.read(folder / "data/processed/lung"))
    parameters = read_parameters(SiteParameters, folder / "params.yaml")
    recipe = parameters.pretrain.model_copy(update={"epochs": EPOCHS, "patience": EPOCHS})
    training = parameters.training.model_copy(update={"device": "cpu"})
    parameters = parameters.model_copy(
        update={"pretrain": recipe, "training": training, "seed": trial.draw}
    )
    sites, tested = divide(domain, trial)
    everything = {part: np.concatenate([one[part] for one in sites.values()]) for part in PARTS}
    method = METHODS[trial.method]
    if method.rounds:
        network = train_federated(domain, sites, parameters, method)
    else:
        rows = sites["a"] if trial.method == ALONE else everything
        network = train_here(domain, rows, parameters)
    cpu = torch.device("cpu")
    task = make_task(domain, everything["train"], everything["validation"], cpu, Encoding(), 0.5)
    lesions = task.train.labels.bincount(minlength=2).tolist()
    weights = pooled_class_weights(lesions, training.class_weights)
    outputs = logits(network, task.validation)
    losses = torch.nn.functional.cross_entropy(outputs, task.validation.labels, weights)
    test = make_task(domain, tested, tested, cpu, Encoding(), 0.5).train
    predicted = logits(network, test).softmax(1)[:, 1].numpy()
    return float(losses), float(roc_auc_score(test.labels.numpy(), predicted))


PARTS = ("train", "validation")


def divide(domain: Domain, trial: Trial) -> tuple[dict[str, dict[str, np.ndarray]], np.ndarray]:
    """The rows of each site by part, and those of the test. Methods share the draw."""
    random = generator(SEED, "federated", trial.draw)
    index = domain.index
    malignant = (index["label"] == domain.classes[-1]).groupby(index["patient"]).max()
    order = random.permutation(malignant.index.to_numpy())
    tested, others = order[:TESTED], order[TESTED:]
    pools = {flag: list(others[malignant[others].to_numpy() == flag]) for flag in (True, False)}
    sites = {}
    for name, size in SIZES.items():
        sick = round(size * SHARES[trial.shares][name])
        parts = {part: [] for part in PARTS}
        for flag, count in ((True, sick), (False, size - sick)):
            taken = [pools[flag].pop() for _ in range(count)]
            held = round(VALIDATES * count)
            parts["validation"] += taken[:held]
            parts["train"] += taken[held:]
        sites[name] = {part: rows_of(domain, parts[part]) for part in PARTS}
    return sites, rows_of(domain, tested)


def rows_of(domain: Domain, patients: Sequence[str]) -> np.ndarray:
    """The rows of the lesions of some patients."""
    return np.flatnonzero(domain.index["patient"].isin(set(patients)))


def small(domain: Domain) -> Domain:
    """The same domain with 16³ voxels of 2 mm: means of 2×2×2."""
    images = np.asarray(domain.images)
    count, channels, *sides = images.shape
    pairs = [size for side in sides for size in (side // 2, 2)]
    means = images.reshape(count, channels, *pairs).mean((3, 5, 7), dtype=np.float32)
    about = {**domain.preprocessing, "patch": [side // 2 for side in sides]}
    return replace(domain, images=means.astype(np.float16), preprocessing=about)


def train_here(
    domain: Domain, rows: Mapping[str, np.ndarray], parameters: SiteParameters
) -> Classifier:
    """Train as `pretrain` does, without a checkpoint that another training could find."""
    cpu = torch.device("cpu")
    task = make_task(domain, rows["train"], rows["validation"], cpu, Encoding(), 0.5)
    start = start_from_scratch(parameters.network, task, parameters.seed, cpu)
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(
            recipe=Recipe(**parameters.pretrain.model_dump()),
            training=parameters.training,
            augment=parameters.augment,
            seed=parameters.seed,
            purpose="pretrain",
            checkpoints=Path(folder),
        )
        train_network(start.network, task, plan, show=False)
    return start.network


def train_federated(
    domain: Domain,
    sites: Mapping[str, Mapping[str, np.ndarray]],
    parameters: SiteParameters,
    method: Method,
) -> Classifier:
    """Train at all sites, and return the network of the best round."""
    here = [
        Site(
            name,
            domain,
            dict(rows),
            parameters,
            PUBLISHED_KEY,
            kept_optimizer() if method.keep else make_optimizer,
        )
        for name, rows in sites.items()
    ]
    wish = Rounds(rounds=method.rounds, local_epochs=EPOCHS // method.rounds, mu=method.mu)
    with tempfile.TemporaryDirectory() as folder:
        simulate(here, wish, Path(folder) / "model")
        return load_model(Path(folder) / "model").networks[0]


def kept_optimizer() -> Callable[..., torch.optim.Optimizer]:
    """Make an optimizer in the first round, and return the same one in all others."""
    made: list[torch.optim.Optimizer] = []

    def make(*arguments: object) -> torch.optim.Optimizer:
        if not made:
            made.append(make_optimizer(*arguments))  # type: ignore[arg-type]
        return made[0]

    return make


def result_table(
    methods: Sequence[str], found: Mapping[Trial, tuple[float, float]], shares: str, draws: int
) -> Iterator[str]:
    """Yield a row for each method: means and paired differences, with their standard errors."""
    scores = {
        name: np.array([found[Trial(name, shares, draw)] for draw in range(draws)])
        for name in methods
    }
    yield from markdown_head(
        "training", "validation loss", "AUROC", "loss against one place", "AUROC against one place"
    )
    for name, values in scores.items():
        cells = [format_mean(values[:, 0]), format_mean(values[:, 1])]
        if name == ONE_PLACE or ONE_PLACE not in scores:
            cells += ["", ""]
        else:
            gain = values - scores[ONE_PLACE]
            cells += [format_mean(gain[:, 0], "+"), format_mean(gain[:, 1], "+")]
        yield markdown_row(name, *cells)


def report_gap(found: Mapping[Trial, tuple[float, float]], draws: int) -> None:
    """Report the AUROC of FedAvg beside that of the largest site, with other shares."""

    def mean(name: str) -> float:
        shares = "other shares"
        return float(np.mean([found[Trial(name, shares, draw)][1] for draw in range(draws)]))

    report(
        Comparison(
            "AUROC of three sites with other shares of the classes",
            "",
            mean("FedAvg, 1 epoch"),
            ALONE,
            mean(ALONE),
            more_is_better=True,
            least_ratio=1.0,
        )
    )


if __name__ == "__main__":
    run(main)
