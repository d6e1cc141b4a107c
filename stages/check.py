"""Look for leaks between the parts of the sources and the target, before training on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from graft.common.files import whole_file, write_sealed
from graft.common.parameters import Section, read_parameters
from graft.console import run, say
from graft.data.repeats import check_repeats
from graft.data.settings import SplitRules
from graft.leakage.across import check_across, check_private_patients
from graft.leakage.channels import check_channels
from graft.leakage.columns import check_columns
from graft.leakage.pseudonyms import check_keys
from graft.leakage.rows import CheckRow, checks_document
from graft.leakage.self_supervision import select_images
from graft.leakage.split_domain import SplitDomain
from graft.leakage.within import check_within
from graft.selfsupervised.without_labels import write_images_without_labels
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    source: str
    target: str
    candidates: list[str] = Field(alias="sources.candidates")
    start: str = Field(alias="pretrain.source")
    epsilon: float | None = Field(alias="privacy.epsilon")
    source_rules: SplitRules = Field(alias="domains.${source}.split")
    target_rules: SplitRules = Field(alias="domains.${target}.split")
    seed: int
    folds: int = Field(alias="cross_validation.folds")
    shares: list[float] = Field(alias="learning_curve.shares")
    draws: int = Field(alias="learning_curve.draws")
    epochs: int = Field(alias="self_supervise.epochs")
    seen: Literal["both", "source"] = Field(alias="self_supervise.domains")


def main() -> None:
    """Write metrics/checks.json, two lists and the gate, or nothing if data leaks.

    The lists are those of the sources and of the images that a network may see without labels.
    """
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    for gate in (paths.LEAKS_CHECKED, paths.WITHOUT_LABELS):
        gate.unlink(missing_ok=True)  # the data may have changed since it was written
    rules = {
        parameters.source: parameters.source_rules,
        parameters.target: parameters.target_rules,
    }
    domains = [read_split_domain(name) for name in rules]  # one, if the source is the target
    rows = []
    for domain in domains:
        divided = domain.name == parameters.target and parameters.folds > 0
        rows += check_within(domain, rules[domain.name], parameters.seed, paths.FEATURES, divided)
    target = domains[-1]
    shares = parameters.shares if parameters.draws else []
    labelled = target.rows("train", "validation")
    check_repeats(target.domain.index, labelled, shares, parameters.folds)
    rows += check_between(parameters, domains)
    rows += list_images_without_labels(parameters, domains, rules)
    with whole_file(paths.CHECKS) as path:
        write_sealed(path, checks_document(rows))
    with whole_file(paths.SOURCE_LIST) as path:
        write_sealed(path, source_folders(parameters))
    with whole_file(paths.LEAKS_CHECKED) as path:
        path.write_text("No leak was found. See metrics/checks.json.\n", encoding="utf-8")
    for row in rows:
        say(f"{row['domain']}: {row['name']}: {row['looked_at']}: {row['found']}")


def check_between(parameters: Parameters, domains: Sequence[SplitDomain]) -> list[CheckRow]:
    """Return the rows of the checks between the target and all domains that networks start from.

    Args:
        parameters: those of the stage.
        domains: the source and the target, or one domain that is both.
    """
    target = domains[-1]
    others = list(domains[:-1])
    if parameters.source == parameters.target == parameters.start:
        others.append(target)  # a network is trained on it, and then compared with itself
    others += [read_split_domain(name) for name in parameters.candidates]
    checked = {domain.name: domain.domain for domain in (*domains, *others)}
    rows = check_keys(list(checked.values())) + check_columns(list(checked.values()))
    for other in others:
        rows.append(check_channels(other.domain, target.domain))
        if parameters.epsilon is not None:
            rows.append(check_private_patients(other, target))
        starts_elsewhere = other.name == parameters.source != parameters.start
        rows += check_across(
            other, target, parameters.folds > 0, not starts_elsewhere, paths.FEATURES
        )
    return rows


def list_images_without_labels(
    parameters: Parameters, domains: Sequence[SplitDomain], rules: Mapping[str, SplitRules]
) -> list[CheckRow]:
    """Write which images self-supervision learns from, and return the row of their check.

    Args:
        parameters: those of the stage.
        domains: the source and the target, or one domain that is both.
        rules: of their splits, by name.
    """
    if not parameters.epochs:
        write_images_without_labels(paths.WITHOUT_LABELS, [])
        return []
    seen = domains if parameters.seen == "both" else domains[:1]
    everybody = parameters.target if parameters.folds else None
    selected, row = select_images(seen, domains, rules, everybody, paths.FEATURES)
    images = [(domain.domain, used) for domain, used in selected]
    write_images_without_labels(paths.WITHOUT_LABELS, images)
    return [row]


def read_split_domain(name: str) -> SplitDomain:
    """Read a processed domain with its split."""
    return SplitDomain.from_files(paths.processed(name), paths.split(name), paths.VERIFIED)


def source_folders(parameters: Parameters) -> dict[str, str]:
    """The folders of all pretrained networks, by the name of what they were trained on.

    A weight file is named without its folder, which may contain a user's name.
    """
    start = parameters.start
    first = start if start == parameters.source else Path(start).name
    folders = {first: paths.PRETRAINED.as_posix()}
    for name in parameters.candidates:
        folders[name] = (paths.CANDIDATES / name).as_posix()
    return folders


if __name__ == "__main__":
    run(main)
