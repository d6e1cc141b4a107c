"""Raw volumes or arrays of one domain, made into images that a network takes: `python -m stages.preprocess lung`."""

from pathlib import Path

from graft.config import load
from graft.console import run, say
from graft.data.domain import Domain, Grid, write_domain
from graft.ingest.read import read_raw_domain


def main(name: str) -> None:
    """Write `data/processed/<name>`, and say what is in it."""
    path, classes, window, intensity, pattern, covariates, burned_in, key, shape = load.read(
        f"domains.{name}.path",
        f"domains.{name}.classes",
        f"domains.{name}.window",
        f"domains.{name}.intensity",
        f"domains.{name}.patient_pattern",
        f"domains.{name}.covariates",
        f"domains.{name}.burned_in",
        "privacy",
        "preprocess",
    )
    grid = Grid(tuple(shape.patch), tuple(shape.spacing), tuple(window), intensity)
    privacy = Privacy(key.key_variable, key.key_file, burned_in == "allow")
    made = read_raw_domain(
        Path(path),
        name,
        classes,
        grid,
        patient_pattern=pattern,
        covariates=covariates,
        privacy=privacy,
    )
    write_domain(Path("data/processed") / name, made)
    report(made)


def report(made: Domain) -> None:
    """Say what the domain holds by class, site, split, group and covariate, and how well size tells two classes."""
    index = made.index
    say(
        f"{made.name}: {len(index)} lesions of {index['patient'].nunique()} patients, images {made.images.shape[1:]}"
    )
    for column in ("label", "site", "split"):
        for value, rows in index.groupby(column):
            if value:
                say(
                    f"  {column} {value}: {len(rows)} lesions of {rows['patient'].nunique()} patients"
                )
    for column in [] if made.groups is None else made.groups:
        counts = made.groups[column].replace("", "not known").value_counts().sort_index()
        say(f"  {column}: {', '.join(f'{value} {count}' for value, count in counts.items())}")
    for column, kind in made.kinds.items():
        missing = int((made.covariates[column] == "").sum())
        say(
            f"  covariate {column} ({kind}): {len(index) - missing} of {len(index)} lesions, {missing} missing"
        )
    if len(made.classes) == 2:
        from sklearn.metrics import roc_auc_score

        auroc = roc_auc_score(index["label"] == made.classes[1], index["size"])
        say(
            f"  size alone ({made.preprocessing['size']}) scores AUROC {auroc:.3f} for {made.classes[1]}"
        )


if __name__ == "__main__":
    run(main)
