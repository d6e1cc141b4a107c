"""Which inputs does a model refuse: how many familiar ones by mistake, and how many unknown ones?

    dvc repro
    python -m benchmarks.refusal [--data FOLDER]

Takes the source network and the chosen model of a finished run on the phantom, and patients whom
the run has not seen. In each draw, as many patients as the run labelled say what is familiar. All
others of the same site are the internal test, and every refusal of them is a mistake. The figures
are means over the draws. Three ways to compare features have the same limit: graft's, by
Mahalanobis distance of the first layer; the same before the head; and the distance of the third
nearest neighbour in the first layer. With the folder of the real data, real inputs are refused
too. Prints tables in Markdown. Takes about 4 minutes on one core.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.lung_to_adrenal import VARIABLE
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.unknown_inputs import MOST, corrupted, magnetic_resonance, real
from benchmarks.unseen import read_run, unseen_folder
from graft.common.seeds import generator
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.split import read_split
from graft.familiarity.familiar import Reason
from graft.familiarity.fit import fit_familiar, prediction_limit
from graft.familiarity.measurements import Measurements, measure, model_features
from graft.networks.features import extract_features
from graft.networks.saved import Model, load_model
from stages import paths

PATIENTS = 20  # of each draw, as in the default run
UNSEEN = 200
NEIGHBOUR = 3
GRAFT, HEAD, NEAREST = (
    "first layer, Mahalanobis",
    "before the head, Mahalanobis",
    "first layer, 3nn",
)
COLUMNS = ("any check", "spacing", "intensities", GRAFT, HEAD, NEAREST)

Shares = Mapping[str, Mapping[str, list[float]]]  # input -> column -> share refused in each draw


class Inputs:
    """Inputs of one kind, measured once for all draws."""

    def __init__(self, model: Model, images: np.ndarray, spacings: np.ndarray | None) -> None:
        self.measured = measure(images, spacings, model_features(model, images))
        self.head = extract_features(model.networks[0], images)

    def take(self, rows: np.ndarray, head: bool = False) -> Measurements:
        """Some rows, with the features of the first layer, or with those before the head."""
        whole = self.measured
        features = self.head if head else whole.features
        spacings = None if whole.spacings is None else whole.spacings[rows]
        intensities = {name: values[rows] for name, values in whole.intensities.items()}
        return Measurements(intensities, spacings, features[rows])


def main(
    folder: Annotated[Path, typer.Option("--run", help="The folder of the finished run.")] = ROOT,
    data: Annotated[
        Path | None, typer.Option(envvar=VARIABLE, help="The folder of the real data.")
    ] = None,
    draws: Annotated[int, typer.Option(help="How often patients are drawn.")] = 40,
    workdir: Annotated[
        Path, typer.Option(help="Keeps the unseen patients for a later call.")
    ] = Path(".graft/refusal"),
) -> None:
    """Measure how many familiar and unknown inputs are refused."""
    parameters = read_run(folder)
    unseen = Domain.read(unseen_folder(parameters, UNSEEN, workdir))
    source = Domain.read(folder / paths.processed(parameters.source))
    tested = read_split(folder / paths.split(parameters.source), source.index)["test"][:MOST]
    others = {f"{source.name} (phantom)": np.asarray(source.images[tested])}
    side = parameters.preprocess.patch[0]
    others["liver on MR (phantom)"] = magnetic_resonance(parameters)
    if data:
        others |= dict(real(data, side))
    model = load_model(folder / paths.BEST)
    external = parameters.domains[parameters.target].split.external
    show(f"{unseen.name}, {PATIENTS} patients", study(model, unseen, external, others, draws))
    own = {f"{unseen.name} (phantom)": np.asarray(unseen.images[:MOST])}
    own |= {name: images for name, images in others.items() if not name.startswith(source.name)}
    network = load_model(folder / paths.PRETRAINED)
    held_out = parameters.domains[parameters.source].split.external
    show(f"{source.name}, {PATIENTS} patients", study(network, source, held_out, own, draws))


def study(
    model: Model, domain: Domain, external: str, others: Mapping[str, np.ndarray], draws: int
) -> Shares:
    """Draw familiar patients and refuse the others of the domain, worse images, other inputs."""
    is_inside = (domain.index["site"] != external).to_numpy()
    known = Inputs(model, np.asarray(domain.images), domain.spacings)
    clean = np.asarray(domain.images[np.flatnonzero(is_inside)[:MOST]], np.float32)
    unknown = {}
    for name, images in (*corrupted(clean, domain.preprocessing["spacing"]), *others.items()):
        unknown[name] = Inputs(model, images, None)
    patients = domain.index["patient"].to_numpy()
    shares: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for draw in range(draws):
        random = generator(draw, "refusal", domain.name)
        drawn = random.choice(np.unique(patients[is_inside]), PATIENTS, replace=False)
        is_drawn = np.isin(patients, drawn)
        rows = {"internal test": is_inside & ~is_drawn, "external site": ~is_inside}
        detectors = Detectors(known, np.flatnonzero(is_drawn), patients)
        sets = {name: (known, np.flatnonzero(mask)) for name, mask in rows.items()}
        sets |= {name: (one, np.arange(len(one.measured))) for name, one in unknown.items()}
        for name, (inputs, chosen) in sets.items():
            for column, share in detectors.refuse(inputs, chosen):
                shares[name][column].append(share)
    return shares


class Detectors:
    """The three ways, fitted to some familiar inputs."""

    def __init__(self, known: Inputs, fitted: np.ndarray, patients: np.ndarray) -> None:
        owners = patients[fitted]
        self.first_layer = fit_familiar(known.take(fitted), (), owners)
        self.head = fit_familiar(known.take(fitted, head=True), (), owners)
        self.own = known.take(fitted).features
        self.mean, self.deviation = self.own.mean(0), self.own.std(0)
        same_patient = owners[:, None] == owners
        self.limit = prediction_limit(self._nearest(self.own, same_patient))

    def refuse(self, inputs: Inputs, rows: np.ndarray) -> Iterator[tuple[str, float]]:
        """Yield the share of some rows of inputs that each of COLUMNS refuses."""
        reasons = self.first_layer.check(inputs.take(rows))
        yield "any check", float(np.mean([bool(found) for found in reasons]))
        for column, check in (("spacing",) * 2, ("intensities",) * 2, (GRAFT, "features")):
            yield column, share_of(reasons, check)
        yield HEAD, share_of(self.head.check(inputs.take(rows, head=True)), "features")
        yield NEAREST, float((self._nearest(inputs.take(rows).features) > self.limit).mean())

    def _nearest(self, new: np.ndarray, excluded: np.ndarray | None = None) -> np.ndarray:
        """Distance (N,) of each new input from its third nearest familiar one, standardised."""
        own = (self.own - self.mean) / self.deviation
        between = ((new - self.mean) / self.deviation)[:, None] - own  # (N, M, F)
        found = np.linalg.norm(between, axis=2)
        if excluded is not None:
            found[excluded] = np.inf
        return np.sort(found, axis=1)[:, NEIGHBOUR - 1]


def share_of(reasons: list[list[Reason]], check: str) -> float:
    """The share of inputs that one check refuses."""
    return float(np.mean([any(reason.check == check for reason in found) for found in reasons]))


def show(title: str, shares: Shares) -> None:
    """Print the table of a domain and report the mistakes."""
    say(f"\nRefused with {title}, in % (mean over the draws)\n")
    for line in markdown_head("input", *COLUMNS):
        say(line)
    for name, found in shares.items():
        say(markdown_row(name, *(f"{100 * np.mean(found[column]):.1f}" for column in COLUMNS)))
    mistakes = np.array(shares["internal test"]["any check"])
    often = f"{(mistakes > 0.05).mean():.0%} of the draws above 5 %, worst {mistakes.max():.1%}"
    what = f"inputs of the internal test refused by mistake, {title}"
    head = 100 * float(np.mean(shares["internal test"][HEAD]))
    own = 100 * float(mistakes.mean())
    report(Comparison(what, "%", own, "features before the head", head, bound=5, note=often))


if __name__ == "__main__":
    run(main)
