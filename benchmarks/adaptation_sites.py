"""Sites with many labelled lesions, of which a draw labels a few, and models from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.lidc import NODULES, SIDE, nodule_domain, read_nodules
from benchmarks.real_sources import SourcePlan, read_parameters, source_parts, train_sources
from benchmarks.unseen import read_run, unseen_folder
from graft.adaptation.site import Site, measured_of, probabilities_of
from graft.common.files import whole_folder
from graft.common.seeds import derive, generator
from graft.conformal.quantiles import fit_quantiles
from graft.data.domain import Domain, write_domain
from graft.data.image_rows import ImageRows
from graft.data.reference import DomainReference
from graft.familiarity.fit import fit_familiar
from graft.familiarity.measurements import measure, model_features
from graft.networks.card import CARD
from graft.networks.saved import WEIGHTS, load_model
from graft.prediction.cut import Input
from graft.prediction.lesions import Lesion
from graft.prediction.prediction import Prediction
from graft.prediction.predictor import Predictor, load
from graft.release.fitted import FITTED, README, Fitted
from graft.statistics.calibrate import fit_temperature
from graft.statistics.operating_points import choose_points
from stages import paths

THIN_MM = 1.5  # between slices, at most, in the scans of the model
OWN = "own sites of the phantom"
FEW_MALIGNANT = "own sites of the phantom, few malignant"
KEPT = 0.15  # of the patients with a malignant lesion, there
ALPHA = 0.1
RATES = {"sensitivity": 0.9, "specificity": 0.9}


@dataclass(frozen=True)
class Pool:
    """All lesions of a site, with their labels, and a model that has seen none of them."""

    name: str
    predictor: Predictor
    site: Site
    domain: Domain
    rows: np.ndarray

    def take(self, numbers: np.ndarray, labelled: np.ndarray) -> Site:
        """Some of the lesions, of which some are labelled."""
        site = self.site
        labels = np.where(np.isin(numbers, labelled), site.labels[numbers], -1)
        return Site(
            inputs=[site.inputs[number] for number in numbers],
            labels=labels,
            patients=np.unique(site.patients[numbers], return_inverse=True)[1],
            raw=site.raw[numbers],
            measured={name: values[numbers] for name, values in site.measured.items()},
            refused=0,
            failures=0,
        )


def make_pool(name: str, predictor: Predictor, domain: Domain, rows: np.ndarray) -> Pool:
    """Predict all lesions in some rows of a domain."""
    inputs = []
    for row in rows:
        spacing = None if domain.spacings is None else tuple(domain.spacings[row].tolist())
        size = float(domain.index["size"][row])
        inputs.append(Input(Lesion(Path("row")), np.array(domain.images[row]), size, spacing))
    predicted = predictor.predict_inputs(inputs)
    found = [one for one in predicted if isinstance(one, Prediction)]
    index = domain.index.iloc[rows]
    labels = np.array([domain.classes.index(label) for label in index["label"]])
    patients = pd.factorize(index["patient"])[0]
    raw = probabilities_of(found)
    site = Site(inputs, labels, patients, raw, measured_of(found), refused=0, failures=0)
    return Pool(name, predictor, site, domain, rows)


def phantom_pools(run: Path, patients: int, workdir: Path) -> list[Pool]:
    """The external site of a finished run, and its own sites, with unseen patients.

    The last pool has the own sites with fewer malignant lesions than the training had.
    """
    parameters = read_run(run)
    domain = Domain.read(unseen_folder(parameters, patients, workdir))
    predictor = load(run / paths.BEST, "cpu")
    external = parameters.domains[parameters.target].split.external
    outside = (domain.index["site"] == external).to_numpy()
    inside = np.flatnonzero(~outside)
    return [
        make_pool("external site of the phantom", predictor, domain, np.flatnonzero(outside)),
        make_pool(OWN, predictor, domain, inside),
        make_pool(FEW_MALIGNANT, predictor, domain, _few_malignant(domain, inside)),
    ]


def _few_malignant(domain: Domain, rows: np.ndarray) -> np.ndarray:
    """Leave out most patients with a lesion of the second class."""
    index = domain.index.iloc[rows]
    having = index["patient"][index["label"] == domain.classes[1]].unique()
    random = generator(0, "adaptation", "few malignant")
    left_out = random.permutation(having)[round(KEPT * len(having)) :]
    return rows[~index["patient"].isin(left_out).to_numpy()]


def lidc_pool(data: Path, workdir: Path) -> Pool:
    """Nodules in thick slices, and a model of other patients' nodules in thin slices.

    LIDC does not say which of its hospitals a scan comes from. The distance of the slices is what
    differs between their protocols.
    """
    nodules = read_nodules(data)
    domain = nodule_domain(nodules, "lidc", "malignancy", SIDE)
    steps = pd.read_csv(data / NODULES, index_col="nodule_index")
    with np.load(data / "lung_lidc/volumes_1mm_32.npz", allow_pickle=False) as arrays:
        step = steps["slice_step_mm"].loc[arrays["nodule_index"]].to_numpy()
    patients = domain.index["patient"].to_numpy()
    thick = np.isin(patients, patients[step > THIN_MM])  # a patient with both is of the site
    folder = workdir / "lidc/domain"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_domain(folder, domain)
    parameters = read_parameters()
    parts = source_parts(domain, ~thick, generator(0, "adaptation", "parts"))
    plan = SourcePlan(DomainReference.to(folder), parts, derive(0, "adaptation"))
    [reference] = train_sources([plan], parameters, workdir / "lidc/sources")
    model = workdir / "lidc/model"
    if not (model / FITTED).exists():
        _write_model(model, reference.folder, domain, np.flatnonzero(parts == "validation"))
    return make_pool("LIDC, thick slices", load(model, "cpu"), domain, np.flatnonzero(thick))


def _write_model(folder: Path, trained: Path, domain: Domain, rows: np.ndarray) -> None:
    """A model folder with what is fitted to validation rows, as `evaluate` fits it."""
    model = load_model(trained)
    images = ImageRows(domain.images, rows)
    index = domain.index.iloc[rows]
    labels = np.array([domain.classes.index(label) for label in index["label"]])
    raw = model.predict(images).round(8)
    samples = tuple(rows.tolist())
    temperature = fit_temperature(labels, raw, samples)
    calibrated = temperature.apply(raw)
    points = choose_points(labels, raw[:, 1], samples, *RATES.values())
    measured = measure(images, None, model_features(model, images))
    patients = index["patient"].to_numpy()
    fitted = Fitted(
        name="pretrained",
        source="lidc",
        target="lidc",
        temperature=temperature.value,
        points={name: point.threshold if point else None for name, point in points.items()},
        wanted=RATES,
        miscoverage=ALPHA,
        quantiles=fit_quantiles(labels, calibrated, samples, domain.classes, ALPHA).quantiles,
        familiar=fit_familiar(measured, samples, patients, calibrated[:, 1]),
        licence="LicenseRef-unspecified",
        provenance={},
    )
    with whole_folder(folder) as partial:
        for name in (WEIGHTS, CARD):
            (partial / name).write_bytes((trained / name).read_bytes())
        (partial / README).write_text("A model of thin slices.\n")
        fitted.write(partial)


def draw_lesions(
    pool: Pool, scans: int, sizes: Sequence[int], number: int
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Draw patients with at least `scans` lesions, and the first labelled lesions among them.

    Returns:
        The numbers of all lesions of the draw, sorted, and those that are labelled by size.
    """
    patients = pool.site.patients
    order = generator(0, "adaptation", "draw", number).permutation(patients.max() + 1)
    place = np.argsort(order)[patients]  # of each lesion's patient in the order
    lesions = np.argsort(place, kind="stable")
    last = place[lesions[scans - 1]]
    drawn = lesions[place[lesions] <= last]
    return np.sort(drawn), {size: np.sort(drawn[:size]) for size in sizes}
