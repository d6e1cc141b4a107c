"""Run one of the examples in a workspace of its own: `python -m examples ct-to-mr`; without a name, list them."""

from pathlib import Path

from examples import stand_ins
from examples.workspace import ROOT, call, link, prepare
from graft.common.files import InputError
from graft.config.parameters import load_parameters
from graft.console import one_of, run, say

EXAMPLES = sorted(file.parent.name for file in Path(__file__).parent.glob("*/params.yaml"))
YOURS = Path("data/raw")  # under it lies what is the user's


def main(name: str = "") -> None:
    """Make or update `.graft/examples/<name>`, run the pipeline there and say where the numbers are."""
    if not name:
        for example in EXAMPLES:
            say(
                f"{example:12}{file_of(example).read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}"
            )
        return
    one_of("examples", name, EXAMPLES)
    settings = load_parameters(file_of(name))
    yours = [
        Path(domain.path)
        for domain in settings.domains.values()
        if Path(domain.path).is_relative_to(YOURS)
    ]
    missing = [path for path in yours if not (ROOT / path).exists()]
    if unknown := [path for path in missing if path not in stand_ins.ORGANS]:
        raise InputError(f"{unknown[0]}: is missing, expected your data, as docs/data.md says")
    folder = prepare(name, file_of(name))
    for path in yours:
        if path in missing:
            stand_ins.write(folder, path)
        else:
            link(folder, path)
    call(folder, "dvc", "repro")
    say(f"{name}: done. The numbers are in {(folder / 'metrics/metrics.json').relative_to(ROOT)}")


def file_of(name: str) -> Path:
    """The params.yaml of an example."""
    return Path(__file__).parent / name / "params.yaml"


if __name__ == "__main__":
    run(main)
