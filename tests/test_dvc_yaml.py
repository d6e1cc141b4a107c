"""dvc.yaml tells the truth: each stage names the code it imports and the parameters it reads, and no more."""

import ast
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]


def stages() -> dict[str, dict]:
    """The definition of every stage, by name, of the pipeline and of the phantom cohort."""
    found = {}
    for file in (ROOT / "dvc.yaml", ROOT / "data/phantom/dvc.yaml"):
        for name, stage in YAML(typ="safe").load(file)["stages"].items():
            found[name] = stage.get("do", stage)
    return found


def script(stage: dict) -> Path:
    """The module of `python -m stages.name ...`."""
    return ROOT / (stage["cmd"].split()[2].replace(".", "/") + ".py")


def imported(file: Path) -> set[Path]:
    """The files of this repository that a file imports, wherever in it the import stands."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    files = set()
    for name in names:
        path = ROOT.joinpath(*name.split("."))
        parents = [ROOT.joinpath(*name.split(".")[:k]) for k in range(1, name.count(".") + 2)]
        candidates = [path.with_suffix(".py"), *(parent / "__init__.py" for parent in parents)]
        files |= {
            candidate for candidate in candidates if candidate.is_file() and has_code(candidate)
        }
    return files


def has_code(file: Path) -> bool:
    """Whether a module does more than carry a docstring."""
    return any(not isinstance(node, ast.Expr) for node in ast.parse(file.read_text()).body)


def transitive(file: Path) -> set[Path]:
    reached, todo = set(), [file]
    while todo:
        current = todo.pop()
        if current not in reached:
            reached.add(current)
            todo += imported(current)
    return reached


def parameters_read(file: Path) -> set[str]:
    """The keys in calls of `params.read`, with `{...}` of an f-string written as DVC's `${key}`.

    A call of `params.load` reads them all, which is `params.yaml:`, the whole file, to DVC.
    """
    keys = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "params.load":
            keys.add("params.yaml:")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"params.read", "read"}:
            for argument in node.args:
                assert isinstance(argument, ast.Constant | ast.JoinedStr), (
                    f"{file}: {ast.unparse(argument)}"
                )
                parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
                keys.add(
                    "".join(p.value if isinstance(p, ast.Constant) else "${key}" for p in parts)
                )
    return keys


@pytest.mark.parametrize("name", stages())
def test_a_stage_depends_on_the_code_it_imports_and_no_other(name):
    stage = stages()[name]
    code = {
        dep for dep in stage["deps"] if dep.endswith(".py") or dep.startswith(("graft/", "stages/"))
    }
    expected = {str(path.relative_to(ROOT)) for path in transitive(script(stage))}
    schemas = {
        dep for dep in code if dep.endswith(".json")
    }  # named in the code, or by another schema
    expected |= {dep for dep in schemas if Path(dep).name in text_of(expected | schemas - {dep})}
    expected |= {
        str(folder)
        for path in expected
        if (ROOT / (folder := Path(path).parent / "templates")).is_dir()
    }
    assert code == expected


@pytest.mark.parametrize("name", stages())
def test_a_stage_depends_on_the_parameters_it_reads_and_no_other(name):
    stage = stages()[name]
    listed = {told(param).replace("${item}", "${key}") for param in stage["params"]}
    if "${item.reads}" in listed:
        listed = listed - {"${item.reads}"} | {"lambda", "network"}  # one for each of the two inits
    assert listed == parameters_read(script(stage))


def told(param: str | dict) -> str:
    """A parameter as dvc.yaml has it: a key, or a file whose keys are all meant."""
    if isinstance(param, str):
        return param
    ((file, keys),) = param.items()
    assert keys is None, f"{file}: expected all of its keys or none"
    return f"{file}:"


def text_of(files: set[str]) -> str:
    return "".join((ROOT / file).read_text() for file in files)


def test_another_lambda_changes_one_line_of_params_yaml(tmp_path):
    # `dvc exp run -S` writes the file anew, in its own layout: params.yaml is kept in that layout.
    before = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(before)
    apply_overrides(tmp_path / "params.yaml", ["lambda=0.02"])
    after = (tmp_path / "params.yaml").read_text()
    assert [line.split()[:2] for line in set(after.splitlines()) - set(before.splitlines())] == [
        ["lambda:", "0.02"]
    ]
    assert len(after.splitlines()) == len(before.splitlines())
