"""The kinds of files that graft reads: where they are, and which steps read them."""

from collections.abc import Mapping
from dataclasses import dataclass

GRAFT = "graft"  # graft has to notice every other result
DATA = "data"  # raw data without a checksum: other bytes are other data
TEXT = "text"  # the same, as text that is whole after any line
DVC = "dvc"  # `dvc repro` notices

LIVER = "data/processed/liver"
READS_DOMAIN = ("check", "finetune scratch", "evaluate", "explain", "learning_curve")


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        pattern: of its paths in the project.
        steps: the stages that read it, such as `split liver`, or `form .nii`, the reader of a small
            raw domain.
        noticed: who has to notice another result: GRAFT, DATA, TEXT or DVC.
    """

    pattern: str
    steps: tuple[str, ...]
    noticed: str = GRAFT


KINDS: Mapping[str, Kind] = {
    "raw manifest.csv": Kind("data/raw/liver/manifest.csv", ("preprocess liver",), TEXT),
    "raw .nii.gz": Kind("data/raw/liver/*.nii.gz", ("preprocess liver",)),
    "raw mask": Kind("data/raw/liver/masks/*.nii.gz", ("preprocess liver",)),
    "raw .nii": Kind("forms/.nii/*.nii", ("form .nii",), DATA),
    "raw .mha": Kind("forms/.mha/*.mha", ("form .mha",), DATA),
    "raw .mhd": Kind("forms/.mhd/*.mhd", ("form .mhd",), TEXT),
    "raw .raw": Kind("forms/.mhd/*.raw", ("form .mhd",), DATA),
    "raw .nrrd": Kind("forms/.nrrd/*.nrrd", ("form .nrrd",), DATA),
    "raw DICOM": Kind("forms/dicom/*/*.dcm", ("form dicom",), DATA),
    "raw npy": Kind("forms/npy/*.npy", ("form npy",), DATA),
    "raw npz": Kind("forms/npz/*.npz", ("form npz",)),
    "raw png": Kind("forms/png/*/*.png", ("form png",)),
    "raw jpg": Kind("forms/jpg/*/*.jpg", ("form jpg",), DATA),
    "published .pth": Kind("published/*.pth", ("adopt pth",), DATA),
    "published .safetensors": Kind("published/*.safetensors", ("adopt safetensors",), DATA),
    "params.yaml": Kind("params.yaml", ("parameters", "finetune scratch", "evaluate"), TEXT),
    "images.npy": Kind(f"{LIVER}/images.npy", ("split liver", *READS_DOMAIN)),
    "index.csv": Kind(f"{LIVER}/index.csv", ("split liver", *READS_DOMAIN)),
    "domain.json": Kind(f"{LIVER}/domain.json", ("split liver", *READS_DOMAIN)),
    "masks.npy": Kind(f"{LIVER}/masks.npy", ("explain", "check")),
    "covariates.csv": Kind(f"{LIVER}/covariates.csv", ("finetune scratch", "evaluate")),
    "groups.csv": Kind(f"{LIVER}/groups.csv", ("evaluate", "split liver")),
    "split": Kind("data/splits/*.csv", ("check", "finetune scratch", "pretrain", "evaluate")),
    "checks.json": Kind("metrics/checks.json", ("evaluate",)),
    "sources.json": Kind("metrics/sources.json", ("evaluate",), DVC),
    "list of candidates": Kind(
        "models/candidates/sources.json", ("rank_sources", "cross_validate"), DVC
    ),
    "pretrained model": Kind("models/pretrained/*", ("finetune transfer", "evaluate")),
    "finetuned model": Kind("models/finetuned/transfer/*", ("regularize", "evaluate")),
    "regularized model": Kind("models/regularized/*", ("ensemble bagging", "evaluate")),
    "ensemble": Kind("models/ensemble/*/*", ("evaluate",)),
    "best model": Kind("models/best/*", ("explain", "report")),
    "checkpoint": Kind(".graft/checkpoints/finetune-scratch/*", ("finetune scratch",)),
    "cached training": Kind(".graft/trainings/*/*", ("learning_curve", "cross_validate")),
    "repeated predictions": Kind("metrics/repeated/*.csv", ("evaluate",), DVC),
    "predictions.csv": Kind("metrics/predictions.csv", ("explain", "report"), DVC),
    "metrics.json": Kind("metrics/metrics.json", ("explain", "report"), DVC),
    "plots": Kind("metrics/plots/*.csv", ("report",), DVC),
    "explain": Kind("metrics/explain/**/*", ("report",), DVC),
    "dvc.lock": Kind("dvc.lock", ("report",), DVC),
}
