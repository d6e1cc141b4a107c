from pathlib import Path

import pytest

from graft.common.files import InputError
from graft.common.yaml_file import read_yaml

REPEATED = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
MERGED = "a: &a {x: 1}\n"
for before, name in zip("abcdefghij", "bcdefghijk", strict=True):
    ten = ",".join([f"*{before}"] * 10)
    REPEATED += f"{name}: &{name} [{ten}]\n"
    MERGED += f"{name}: &{name}\n  <<: [{ten}]\n"


def write(folder: Path, content: str) -> Path:
    path = folder / "parameters.yaml"
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty, expected keys and values"),
        ("# nothing\n", "is empty, expected keys and values"),
        ("- 1\n", "contains a list, expected keys and values"),
        ("a: 1\n---\nb: 1\n", "is not YAML"),
        ("a: 1\na: 2\n", "is not YAML .*duplicate key"),
        ("a:\n\tb: 1\n", "is not YAML"),
        ("a: \x00\n", "is not YAML"),
        ("a: *b\n", "is not YAML .*undefined alias"),
        ("a: !!python/object/apply:os.system [x]\n", "is not YAML"),
        ("? {a: 1}\n: 2\n", "is not YAML"),
        ("a: 2020-13-45\n", "a value that YAML cannot read .month must be in"),
        ("a: !!int b\n", "a value that YAML cannot read"),
        ("a: !!bool b\n", "a value that YAML cannot read"),
        (f"a: {'9' * 5000}\n", "a value that YAML cannot read .*4300 digits"),
        (REPEATED, "line 5 makes more than 20,000 values"),
        (MERGED, "line 9 makes more than 20,000 values"),
        ("a: &a [*a]\n", r"line 1 puts \*a inside itself"),
        ("a: &a {b: [*a]}\n", r"line 1 puts \*a inside itself"),
        (f"a: {'[' * 100_000}", "line 1 is deeper than 50 levels"),
        (f"a: {'{a: ' * 100_000}", "line 1 is deeper than 50 levels"),
        (f"a: {'x' * 2**20}\n", "has 1,048,580 bytes, expected at most 1,048,576"),
        (f"a: [{'1,' * 30_000}]\n", "line 1 makes more than 20,000 values"),
    ],
)
def test_a_file_that_is_no_plain_table_of_values_is_refused_in_one_line(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_the_rules_are_those_of_yaml_1_2_and_anchors_may_repeat_values(tmp_path):
    path = write(tmp_path, "a: &a {b: 1e-3, c: yes, d: 0o17}\ne: *a\nf: {<<: *a, b: 2}\n")
    content = {"b": 1e-3, "c": "yes", "d": 15}
    assert read_yaml(path) == {"a": content, "e": content, "f": {**content, "b": 2}}
