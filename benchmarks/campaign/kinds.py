"""The kinds of files that graft reads: where they are, and which steps read them."""

from collections.abc import Mapping
from dataclasses import dataclass

# Ways of damage that nothing in a raw file shows, so that it is other data. In every other case
# graft has to notice that the result differs.
OTHER_BYTES = ("flip", "header", "block", "append", "noise", "swap")  # there is no checksum
OTHER_TEXT = (*OTHER_BYTES, "cut", "empty")  # a text is whole after every line
ANOTHER_FILE = ("swap",)  # whose checksum is right
PICTURE = ("swap", "delete")  # no list says which files a folder of pictures has
PICTURE_BYTES = (*OTHER_BYTES, "delete")
SLICE = (*OTHER_BYTES, "delete", "folder")  # the first or the last one of a series
ARRAY = (*OTHER_BYTES, "delete")  # groups.npy is optional

LIVER = "data/processed/liver"
READS_DOMAIN = ("check", "finetune scratch", "evaluate", "explain", "learning_curve")


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        pattern: of its paths in the project.
        steps: the stages that read it, such as `split liver`, or `form .nii`, the reader of a small
            raw domain.
        unseen: the ways of damage after which another result is not wrong.
    """

    pattern: str
    steps: tuple[str, ...]
    unseen: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "raw manifest.csv": Kind("data/raw/liver/manifest.csv", ("preprocess liver",), OTHER_TEXT),
    "raw .nii.gz": Kind("data/raw/liver/*.nii.gz", ("preprocess liver",), ANOTHER_FILE),
    "raw mask": Kind("data/raw/liver/masks/*.nii.gz", ("preprocess liver",), ANOTHER_FILE),
    "raw .nii": Kind("forms/.nii/*.nii", ("form .nii",), OTHER_BYTES),
    "raw .mha": Kind("forms/.mha/*.mha", ("form .mha",), OTHER_BYTES),
    "raw .mhd": Kind("forms/.mhd/*.mhd", ("form .mhd",), OTHER_TEXT),
    "raw .raw": Kind("forms/.mhd/*.raw", ("form .mhd",), OTHER_BYTES),
    "raw .nrrd": Kind("forms/.nrrd/*.nrrd", ("form .nrrd",), OTHER_BYTES),
    "raw DICOM": Kind("forms/dicom/*/*.dcm", ("form dicom",), SLICE),
    "raw npy": Kind("forms/npy/*.npy", ("form npy",), ARRAY),
    "raw npz": Kind("forms/npz/*.npz", ("form npz",), ANOTHER_FILE),
    "raw png": Kind("forms/png/*/*.png", ("form png",), PICTURE),
    "raw jpg": Kind("forms/jpg/*/*.jpg", ("form jpg",), PICTURE_BYTES),
    "published .pth": Kind("published/*.pth", ("adopt pth",), OTHER_BYTES),
    "published .safetensors": Kind("published/*.safetensors", ("adopt safetensors",), OTHER_BYTES),
    "params.yaml": Kind("params.yaml", ("parameters", "finetune scratch", "evaluate"), OTHER_TEXT),
    "images.npy": Kind(f"{LIVER}/images.npy", ("split liver", *READS_DOMAIN)),
    "index.csv": Kind(f"{LIVER}/index.csv", ("split liver", *READS_DOMAIN)),
    "domain.json": Kind(f"{LIVER}/domain.json", ("split liver", *READS_DOMAIN)),
    "masks.npy": Kind(f"{LIVER}/masks.npy", ("explain", "check")),
    "covariates.csv": Kind(f"{LIVER}/covariates.csv", ("finetune scratch", "evaluate")),
    "groups.csv": Kind(f"{LIVER}/groups.csv", ("evaluate", "split liver")),
    "split": Kind("data/splits/*.csv", ("check", "finetune scratch", "pretrain", "evaluate")),
    "checks.json": Kind("metrics/checks.json", ("evaluate",)),
    "sources.json": Kind("metrics/sources.json", ("evaluate",)),
    "list of candidates": Kind(
        "models/candidates/sources.json", ("rank_sources", "cross_validate")
    ),
    "list of images": Kind("data/images_without_labels.json", ("self_supervise",)),
    "pretrained model": Kind("models/pretrained/*", ("finetune transfer", "attack", "evaluate")),
    "finetuned model": Kind("models/finetuned/transfer/*", ("regularize", "evaluate")),
    "regularized model": Kind("models/regularized/*", ("ensemble bagging", "evaluate")),
    "ensemble": Kind("models/ensemble/*/*", ("evaluate",)),
    "best model": Kind("models/best/*", ("explain", "report")),
    "checkpoint": Kind(".graft/checkpoints/finetune-scratch/*", ("finetune scratch",)),
    "cached training": Kind(".graft/trainings/*/*", ("learning_curve", "cross_validate")),
    "repeated predictions": Kind("metrics/repeated/*.csv", ("evaluate",)),
    "attacks.json": Kind("metrics/attacks.json", ("report",)),
    "predictions.csv": Kind("metrics/predictions.csv", ("explain", "report")),
    "metrics.json": Kind("metrics/metrics.json", ("explain", "report")),
    "plots": Kind("metrics/plots/*.csv", ("report",)),
    "explain": Kind("metrics/explain/**/*", ("report",)),
    "dvc.lock": Kind("dvc.lock", ("report",)),
}
