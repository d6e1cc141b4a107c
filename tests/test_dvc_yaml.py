"""dvc.yaml names, for each stage, the packages it imports and the parameters it reads: no more."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin

import grimp
import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from graft.common.parameters import Section
from stages import paths

ROOT = Path(__file__).parents[1]

# Modules that are no dependency of any stage, although stages import them or could.
EXEMPT = {
    "graft",  # the package itself imports nothing until it is asked for a name
    "graft.__main__",  # the command, which is no stage
    "graft.console",  # what a person sees changes no output
    "stages",
    "stages.paths",  # every path is in dvc.yaml too, so that a change shows there
}


def load_stages() -> dict[str, dict]:
    """The definition of every stage of the pipeline and of the phantom, by name."""
    found = {}
    for file in (ROOT / "dvc.yaml", ROOT / "data/phantom/dvc.yaml"):
        for name, stage in YAML(typ="safe").load(file)["stages"].items():
            found[name] = stage.get("do", stage)
    return found


STAGES = load_stages()


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("graft", "stages", cache_dir=None)


def module_of(stage: dict) -> str:
    """The module of `python -m stages.name ...`."""
    return stage["cmd"].split()[2]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_packages_it_imports_and_no_others(imports, name):
    stage = STAGES[name]
    module = module_of(stage)
    expected = set()
    for imported in {module} | imports.find_upstream_modules(module):
        if imported in EXEMPT:
            continue
        root, package, *_ = imported.split(".")
        expected.add(f"graft/{package}" if root == "graft" else f"stages/{package}.py")
    code = {dep for dep in stage["deps"] if dep.startswith(("graft/", "stages/"))}
    assert code == expected


@pytest.mark.parametrize("name", sorted(set(STAGES) - {"finetune", "ensemble"}))
def test_no_command_contains_a_value_that_a_shell_would_parse(name):
    """The keys of `finetune` and `ensemble` are in dvc.yaml, and no one else chooses them."""
    assert "${" not in STAGES[name]["cmd"]


def test_the_exempt_modules_are_console_and_paths(imports):
    modules = {name for name in imports.modules if name.count(".") == 1}
    packages = {name for name in modules if imports.find_descendants(name)}
    stages = {module_of(stage) for stage in STAGES.values()}
    assert modules - packages - stages == EXEMPT - {"graft", "stages"}


def test_every_path_of_the_stages_is_in_dvc_yaml():
    named = set()
    for stage in STAGES.values():
        for entry in (*stage["deps"], *stage["outs"]):
            named.add(entry)
            named.add(str(Path(entry).parent))
    constants = [value for name, value in vars(paths).items() if name.isupper()]
    for value in constants:
        for path in value.values() if isinstance(value, dict) else [value]:
            if path in (paths.PIPELINES, paths.PARAMETERS) or path.parts[0] == ".graft":
                continue  # neither a dependency nor an output
            text = path.as_posix()
            templated = text.replace("finetuned/transfer", "finetuned/${key}")
            templated = templated.replace("finetuned/scratch", "finetuned/${key}")
            templated = templated.replace("ensemble/bagging", "ensemble/${item}")
            templated = templated.replace("ensemble/boosting", "ensemble/${item}")
            assert text in named or templated in named, text


def leaves(content: Any, place: str = "") -> Iterator[str]:
    """The dotted keys of all values below a place."""
    if not isinstance(content, Mapping) or not content:
        yield place
        return
    for name, value in content.items():
        yield from leaves(value, f"{place}.{name}" if place else name)


def declared_leaves(kind: Any, content: Any, place: str) -> Iterator[str]:
    """The dotted keys that a stage reads at a place, by the type that it declares for it."""
    if isinstance(kind, type) and issubclass(kind, Section):
        for name, field in kind.model_fields.items():
            key = field.alias or name
            yield from declared_leaves(field.annotation, content[key], f"{place}.{key}")
    elif get_origin(kind) is dict:
        yield from leaves(content, place)
    else:
        yield place


def value_at(content: Any, place: str) -> Any:
    for name in place.split("."):
        content = content[name]
    return content


def interpolated(place: str, content: Mapping, key: str) -> str:
    place = place.replace("${key}", key).replace("${item}", key)
    for role in ("source", "target"):
        place = place.replace(f"${{{role}}}", content[role])
    return place


def read_models(name: str) -> dict[str, tuple[type[Section], dict]]:
    """What a stage declares to read, by the word of the command line that decides it."""
    module = importlib.import_module(module_of(STAGES[name]))
    if name == "finetune":
        return {
            "transfer": (module.Transfer, {"${item.reads}": "lambda", "${item.how}": "finetune"}),
            "scratch": (
                module.Scratch,
                {"${item.reads}": "network", "${item.how}": "finetune.epochs"},
            ),
        }
    key = {"phantom": "lung", "ensemble": "bagging"}.get(name, "liver")
    return {key: (module.Parameters, {})}


@pytest.mark.parametrize("name", sorted(set(STAGES) - {"parameters", "report"}))
def test_a_stage_depends_on_the_parameters_it_reads_and_no_others(name):
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    for key, (model, words) in read_models(name).items():
        listed, read = set(), set()
        for entry in STAGES[name]["params"]:
            place = interpolated(words.get(entry, entry), content, key)
            listed |= set(leaves(value_at(content, place), place))
        for field_name, field in model.model_fields.items():
            place = interpolated(field.alias or field_name, content, key)
            value = value_at(content, place)
            read |= set(declared_leaves(field.annotation, value, place))
        assert listed == read


@pytest.mark.parametrize("name", ["parameters", "report"])
def test_two_stages_read_the_whole_file(name):
    assert STAGES[name]["params"] == [{"params.yaml": None}]


def test_another_lambda_changes_one_line_of_params_yaml(tmp_path):
    # `dvc exp run -S` writes the file again, in its own layout: params.yaml is kept in that layout.
    before = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(before)
    apply_overrides(tmp_path / "params.yaml", ["lambda=0.02"])
    after = (tmp_path / "params.yaml").read_text()
    changed = set(after.splitlines()) - set(before.splitlines())
    assert [line.split()[:2] for line in changed] == [["lambda:", "0.02"]]
    assert len(after.splitlines()) == len(before.splitlines())
