"""The paths of all files in the repository. dvc.yaml names the same ones."""

from pathlib import Path
from typing import Literal, get_args

from graft.common.links import follow_links
from graft.common.names import check_identifier

PIPELINES = (Path("dvc.yaml"), Path("data/phantom/dvc.yaml"))
PARAMETERS = Path("params.yaml")
PARAMETERS_CHECKED = Path("data/parameters_checked.txt")  # a gate: preprocessing waits for it

PHANTOM = Path("data/phantom")
# The organ of a synthetic cohort, which names its folder.
Organ = Literal["lung", "liver", "liver_mr", "unrelated"]
LEAKS_CHECKED = Path("data/leaks_checked.txt")  # a gate: training waits for it
WITHOUT_LABELS = Path("data/images_without_labels.json")  # what self-supervision learns from

SELF_SUPERVISED = Path("models/self_supervised")
PRETRAINED = Path("models/pretrained")
CANDIDATES = Path("models/candidates")  # a folder for each further source
SOURCE_LIST = Path("models/candidates/sources.json")  # the folders of all sources
FINETUNED = {
    "transfer": Path("models/finetuned/transfer"),
    "scratch": Path("models/finetuned/scratch"),
}
REGULARIZED = Path("models/regularized")
ENSEMBLE = {
    "bagging": Path("models/ensemble/bagging"),
    "boosting": Path("models/ensemble/boosting"),
}
DEEP = Path("models/ensemble/deep")  # of the trainings of the learning curve with all labels
BEST = Path("models/best")

METRICS = Path("metrics")
CHECKS = Path("metrics/checks.json")
SOURCES = Path("metrics/sources.json")
ATTACKS = Path("metrics/attacks.json")
WITHOUT_PRIVACY = Path("metrics/without_privacy.csv")  # what pretraining without it predicts
CURVES = Path("metrics/curves")
REPEATED = {
    "learning_curve": Path("metrics/repeated/learning_curve.csv"),
    "cross_validation": Path("metrics/repeated/cross_validation.csv"),
}
PLOTS = Path("metrics/plots")
PREDICTIONS = Path("metrics/predictions.csv")
SUMMARY = Path("metrics/summary.json")
METRICS_DOCUMENT = Path("metrics/metrics.json")
EXPLAIN = Path("metrics/explain")
REPORT = Path("metrics/report.html")

# What a killed run resumes from. It is not an output of any stage.
CHECKPOINTS = Path(".graft/checkpoints")
TRAININGS = Path(".graft/trainings")
VERIFIED = Path(".graft/verified")  # records of large files that need not be verified again
FEATURES = Path(".graft/features")  # of the images of each domain, which `check` reads again


def file_names(domain: str) -> Path:
    """The table of the raw files of a domain's pictures.

    No stage has it as an output: the names of files may be those of patients.
    """
    return Path(".graft/files") / f"{check_identifier(domain)}.csv"


def scans(domain: str) -> Path:
    """The cache of what was cut from each scan of a domain: data of patients, also no output."""
    return Path(".graft/scans") / check_identifier(domain)


def duplicates(domain: str) -> Path:
    """The table of the images of a domain that are the same picture, also no output."""
    return Path(".graft/duplicates") / f"{check_identifier(domain)}.csv"


def processed(domain: str) -> Path:
    """The folder of a processed domain."""
    return Path("data/processed") / check_identifier(domain)


def split(domain: str) -> Path:
    """The table of the parts of a domain."""
    return Path("data/splits") / f"{check_identifier(domain)}.csv"


def is_phantom(folder: Path) -> bool:
    """Whether a folder of raw data is a synthetic cohort, and not only beside one or linked."""
    place = follow_links(folder)
    return place.parent == follow_links(PHANTOM) and place.name in get_args(Organ)
