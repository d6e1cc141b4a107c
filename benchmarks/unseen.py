"""Patients of the phantom whom no run has seen, and more trainings on a run's labelled patients.

What a run estimates from a few hundred patients and some trainings can so be measured on thousands
of patients and with more trainings. The patients come from the phantom with another seed and are
read with the parameters of the run. They are added to its test part, where they have no influence
on training.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from graft.common.code import running_code
from graft.common.files import InputError, whole_folder
from graft.common.seeds import derive, generator
from graft.common.unchanged import unchanged_parameters
from graft.config.parameters import Parameters, load_parameters
from graft.data.domain import DOCUMENT, Domain, fill_folder, write_domain
from graft.data.sealed_tables import open_sealed_table, write_sealed_table
from graft.data.split import describe_lesions
from graft.ingest.manifest import Storage
from graft.ingest.read import read_raw_domain
from graft.phantom.cohort import write_cohort
from graft.repeated.divide import nested_shares
from graft.repeated_evaluation.curve_points import Point, read_points
from graft.statistics.cases import Cases
from stages import learning_curve, paths

LABELLED = ("train", "validation")  # the parts whose labels are used
SPARE = 300  # unseen patients who take the place of labelled ones
UNSEEN = "unseen-"  # before their pseudonyms: with every seed the phantom has a first patient


def read_run(run: Path) -> Parameters:
    """Read the parameters of a finished run whose target is a synthetic cohort.

    Raises:
        InputError: if it is no such run.
    """
    parameters = load_parameters(run / paths.PARAMETERS)
    path = Path(parameters.domains[parameters.target].path)
    if path.parent != paths.PHANTOM:
        raise InputError(f"{run}: its target is {path}, expected a synthetic cohort")
    if not (run / paths.METRICS_DOCUMENT).exists():
        raise InputError(f"{run}: has no {paths.METRICS_DOCUMENT}, expected a finished run")
    return parameters


def unseen_folder(parameters: Parameters, patients: int, workdir: Path) -> Path:
    """Make a processed domain of patients like those of a run's target, from another seed.

    Args:
        parameters: of the run.
        patients: how many.
        workdir: keeps the domain for a later call.
    """
    target = parameters.target
    settings = parameters.domains[target]
    organ = Path(settings.path).name
    seed = derive(parameters.seed, "unseen", organ)
    made_by = (patients, seed, settings, parameters.preprocess, running_code())
    folder = workdir / f"{organ}-{derive(0, repr(made_by)):x}"
    if not (folder / DOCUMENT).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=workdir) as temporary, whole_folder(folder) as partial:
            raw = Path(temporary) / "raw"
            write_cohort(raw, organ, patients, seed)
            domain = read_raw_domain(
                target,
                settings,
                parameters.preprocess,
                parameters.privacy,
                path=raw,
                synthetic=True,
                storage=Storage(Path(temporary) / "scans", partial),
            )
            domain.index["patient"] = UNSEEN + domain.index["patient"]
            fill_folder(partial, domain)
    return folder


@dataclass(frozen=True)
class Curves:
    """A folder in which the stage `learning_curve` trains as in a run, and predicts other patients.

    Attributes:
        folder: with the run's target, to which unseen patients are added, and its source network.
        parameters: the params.yaml of the run.
        domain: the target in the folder.
        split: of the run, whose test part has unseen patients too.
        tested: the sample numbers of the unseen patients in the test part.
        spare: those of SPARE unseen patients in no part.
    """

    folder: Path
    parameters: Path
    domain: Domain
    split: pd.DataFrame
    tested: np.ndarray
    spare: np.ndarray

    @classmethod
    def prepare(cls, run: Path, parameters: Parameters, unseen: Domain, folder: Path) -> "Curves":
        """Write the folder for a finished run. The unseen patients are not at its external site."""
        target = parameters.target
        external = parameters.domains[target].split.external
        known = Domain.read(run / paths.processed(target))
        inside = np.flatnonzero(unseen.index["site"] != external)
        index = pd.concat([known.index, unseen.index.iloc[inside]], ignore_index=True)
        index["sample"] = np.arange(len(index))
        images = np.concatenate([known.images, unseen.images[inside]])
        domain = replace(known, images=images, index=index, masks=None, spacings=None)
        write_domain(folder / paths.processed(target), domain)
        shutil.copytree(run / paths.PRETRAINED, folder / paths.PRETRAINED, dirs_exist_ok=True)
        added = index.iloc[len(known.index) :]
        is_spare = added["patient"].isin(added["patient"].unique()[:SPARE])
        tested = added["sample"][~is_spare]
        about = describe_lesions(known.index)
        split = pd.read_csv(open_sealed_table(run / paths.split(target), about))
        split = pd.concat([split, pd.DataFrame({"sample": tested, "part": "test", "fold": 0})])
        spare = added["sample"][is_spare].to_numpy()
        return cls(folder, run / paths.PARAMETERS, domain, split, tested.to_numpy(), spare)

    def with_known_labels(self, trainings: int, seed: int) -> list[Point]:
        """Train with the labelled patients of the run: predictions for the test part."""
        return self.train(self.split, {"learning_curve.draws": trainings, "seed": seed})

    def with_other_labels(self, trainings: int, seed: int) -> list[Point]:
        """Train with all labels, each time of other patients: predictions for the test part."""
        only_all = {"learning_curve.shares": [], "learning_curve.draws": 1}
        points = []
        for number in range(trainings):
            split = self._with_other_patients(number)
            points += self.train(split, {**only_all, "seed": derive(seed, number)})
        arms = {}
        for arm in points[0].probabilities:
            arms[arm] = [point.probabilities[arm][0] for point in points]
        patients = [point.patients[0] for point in points]
        lesions = [point.lesions[0] for point in points]
        return [Point(1.0, patients, lesions, arms)]

    def train(self, split: pd.DataFrame, changes: Mapping[str, Any]) -> list[Point]:
        """Run the stage with a split, and return what the networks predict for its test part.

        Args:
            split: the parts of the samples.
            changes: values of params.yaml by key, such as `learning_curve.draws`.
        """
        write_parameters(self.folder / paths.PARAMETERS, self.parameters, changes)
        name = self.domain.name
        file = self.folder / paths.split(name)
        write_sealed_table(file, split.sort_values("sample"), describe_lesions(self.domain.index))
        with chdir(self.folder), unchanged_parameters():  # the next call has others
            learning_curve.main()
            return read_points(
                paths.REPEATED["learning_curve"],
                self.domain.classes,
                self.predicted.tolist(),
                load_parameters(paths.PARAMETERS).finetune.strategy,
            )

    @property
    def predicted(self) -> np.ndarray:
        """The sample numbers of the test part: those of the run, and then `tested`."""
        return np.sort(self.split["sample"][self.split["part"] == "test"])

    def cases(self, are_unseen: bool, resamples: int) -> tuple[Cases, np.ndarray]:
        """Return the cases that are in the test part of the run, or not, and where they are in it.

        Args:
            are_unseen: whether they are the unseen patients.
            resamples: of the patients.
        """
        places = np.flatnonzero(np.isin(self.predicted, self.tested) == are_unseen)
        rows = self.domain.index.iloc[self.predicted[places]]
        random = generator(0, "cases", int(are_unseen))
        return Cases.of(rows, self.domain.classes, resamples, random), places

    def _with_other_patients(self, number: int) -> pd.DataFrame:
        """Replace the labelled patients of the run by as many spare ones, of each part."""
        random = generator(0, "labelled", number)
        left = self.domain.index.iloc[self.spare]
        parts = [self.split[~self.split["part"].isin(LABELLED)]]
        for part in LABELLED:
            former = self.split[self.split["part"] == part]
            if former.empty:
                continue
            wanted = self.domain.index["patient"].iloc[former["sample"]].nunique()
            shares = [wanted / left["patient"].nunique()]
            [drawn] = nested_shares(left, self.domain.classes, shares, random)
            rows = left.iloc[drawn]
            left = left[~left["patient"].isin(rows["patient"])]
            folds = 0
            if former["fold"].any():
                folds = 1 + pd.factorize(rows["patient"])[0] % former["fold"].max()
            parts.append(pd.DataFrame({"sample": rows["sample"], "part": part, "fold": folds}))
        return pd.concat(parts)


def only_cases(points: Sequence[Point], places: np.ndarray) -> list[Point]:
    """Return the predictions for the cases at some places of the test part."""
    found = []
    for point in points:
        arms = {}
        for arm, draws in point.probabilities.items():
            arms[arm] = [predicted[places] for predicted in draws]
        found.append(replace(point, probabilities=arms))
    return found


def write_parameters(file: Path, original: Path, changes: Mapping[str, Any]) -> None:
    """Write a params.yaml with other values of some keys, and without its comments."""
    yaml = YAML(typ="safe")  # comments would stay where a replaced list was
    content = yaml.load(original)
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = content
        for inner in sections:
            section = section[inner]
        section[name] = value
    file.parent.mkdir(parents=True, exist_ok=True)
    yaml.dump(content, file)
