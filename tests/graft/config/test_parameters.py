from pathlib import Path

import pytest
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.config.parameters import load_parameters

ROOT = Path(__file__).parents[3]


def write_edited(folder: Path, before: str, after: str) -> Path:
    """Write params.yaml with the first occurrence of a text replaced."""
    text = (ROOT / "params.yaml").read_text()
    assert before in text
    path = folder / "params.yaml"
    path.write_text(text.replace(before, after, 1))
    return path


def test_the_values_of_the_file_are_read(tmp_path):
    path = write_edited(tmp_path, "lambda: 0.01", "lambda: 1e-3")
    found = load_parameters(path)
    assert found.seed == 42
    assert found.lambda_ == 0.001
    assert found.domains["liver"].split.external == "site-b"


@pytest.mark.parametrize(
    ("before", "after", "key", "found", "expected"),
    [
        ("lambda: 0.01", "lambda: -1", "lambda", "-1", "greater than or equal to 0"),
        ("lambda: 0.01", "lamda: 0.1", "lamda", "unknown key", "'lambda'"),
        ("lambda: 0.01", "lambda: .nan", "lambda", "nan", "finite"),
        (
            "0.003                      # initial learning rate\n  pat",
            "fast\n  pat",
            "pretrain.lr",
            "'fast'",
            "valid number",
        ),
        ("seed: 42", "seed: true", "seed", "True", "valid integer"),
        ("specificity: 0.9 ", "specificity: 1e-300 ", "evaluate.specificity", "1e-300", "0.000001"),
        ("margin: 0.05 ", "margin: 1e-300 ", "evaluate.margin", "1e-300", "0.000001"),
        ("confidence: 0.95 ", "confidence: 0.9999999 ", "evaluate.confidence", "0.99", "0.999999"),
        ("batch: 8", "batch: 0", "training.batch", "0", "greater than or equal to 1"),
        ("target: liver", "target: livr", "target", "'livr'", "lung, liver"),
        (
            "- 160\n    - 0\n",
            "- 160\n    - 160\n",
            "domains.liver.window",
            "[160.0, 160.0]",
            "differ",
        ),
        (
            "patient_pattern: ",
            "patient_pattern: 'P('",
            "domains.lung.patient_pattern",
            "unterminated",
            "with one group",
        ),
        (
            "patient_pattern: ",
            "patient_pattern: 'P'",
            "domains.lung.patient_pattern",
            "'P' (0 groups)",
            "with one group",
        ),
        (
            "tasks: {}",
            "tasks:\n      finding: text",
            "tasks.finding",
            "'text'",
            "'category' or 'ordinal'",
        ),
        ("tasks: {}", "tasks:\n      label: category", "lung.tasks", "'label'", "none of sample"),
        ("tasks: {}", "tasks:\n      a/b: ordinal", "lung.tasks", "'a/b'", "ASCII letters"),
        ("tasks: equal", "tasks: none", "pretrain.tasks", "'none'", "'uncertainty'"),
        (
            "covariates: {}",
            "covariates:\n      age: real",
            "covariates.age",
            "'real'",
            "'category' or 'text'",
        ),
        (
            "covariates: {}",
            "covariates:\n      label: category",
            "lung.covariates",
            "'label'",
            "none of sample",
        ),
        (
            "patient_pattern: ",
            "patient_pattern: ''",
            "domains.lung.patient_pattern",
            "''",
            "1 to 1000 printable characters",
        ),
        ("name: resnet ", "name: resnt ", "network.name", "'resnt'", "densenet121"),
        ("- 1.0\n  - 1.0\n  - 1.0\n", "- 1.0\n", "preprocess.spacing", "[1.0]", "at least 2"),
        (
            "  source: lung ",
            "  source: liver ",
            "pretrain.source",
            "'liver'",
            "expected 'lung' to train on the source",
        ),
        (
            "  source: lung ",
            "  source: imagnet ",
            "pretrain.source",
            "'imagnet'",
            "imagenet, kinetics, medicalnet",
        ),
        (
            "  source: lung ",
            "  source: weights.ckpt ",
            "pretrain.source",
            "weights.ckpt",
            ".pt, .pth, .safetensors",
        ),
        (
            "  source: lung ",
            "  source: kinetics ",
            "network.name",
            "'resnet' with pretrain.source",
            "video-",
        ),
        ("seed: 42", "seed: 42\nseed: 43", "seed", "duplicate key", "43"),
        ("seed: 42", "", "seed", "missing", "missing"),
        (
            "burned_in: refuse",
            "burned_in: yes",
            "domains.lung.burned_in",
            "'yes'",
            "'refuse' or 'allow'",
        ),
        (
            "duplicates: refuse",
            "duplicates: keep",
            "domains.lung.split.duplicates",
            "'keep'",
            "'refuse', 'keep-first' or 'drop'",
        ),
        ("channels: auto", "channels: gray", "domains.lung.channels", "'gray'", "'grey' or 'rgb'"),
        ("    ignore: ", "    ignore: '(' ", "domains.lung.ignore", "'('", "regular expression"),
        (
            "candidates: []",
            "candidates: [liver]",
            "sources.candidates",
            "'liver'",
            "other than source and target",
        ),
        (
            "candidates: []",
            "candidates: [a, a]",
            "sources.candidates",
            "['a', 'a']",
            "each of them once",
        ),
        ("  liver:\n    path", "  random:\n    path", "domains", "'random'", "another name"),
        ("GRAFT_PATIENT_KEY", "no name", "privacy.key_variable", "'no name'", "pattern"),
    ],
)
def test_an_error_is_one_line_with_the_key_the_value_and_what_is_allowed(
    tmp_path, before, after, key, found, expected
):
    path = write_edited(tmp_path, before, after)
    with pytest.raises(InputError) as caught:
        load_parameters(path)
    message = str(caught.value)
    for part in ("params.yaml", key, found, expected):
        assert part in message
    assert "\n" not in message


def test_published_weights_need_a_network_that_fits_them_and_a_new_head(tmp_path):
    path = write_edited(tmp_path, "  source: lung ", "  source: imagenet ")
    text = path.read_text()
    text = text.replace("name: resnet ", "name: torchvision-resnet18-planes ")
    path.write_text(text)
    assert load_parameters(path).pretrain.source == "imagenet"

    path.write_text(text.replace("head: auto ", "head: pretrained "))
    message = r"finetune.head: got 'pretrained' with .*'imagenet'.* expected 'auto' or 'new'"
    with pytest.raises(InputError, match=message):
        load_parameters(path)


SAME_DATA = {
    "one domain": [("source: lung ", "source: liver "), ("  source: lung ", "  source: liver ")],
    "one path": [("path: data/phantom/lung ", "path: data/./phantom/liver/ ")],
}


@pytest.mark.parametrize("edits", SAME_DATA.values(), ids=SAME_DATA)
def test_a_source_that_is_trained_on_the_data_of_the_target_is_refused(tmp_path, edits):
    path = tmp_path / "params.yaml"
    text = (ROOT / "params.yaml").read_text()
    for before, after in edits:
        assert before in text
        text = text.replace(before, after, 1)
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_parameters(path)
    message = str(caught.value)
    assert "params.yaml: source: got " in message
    assert "which has the raw data of the target 'liver'" in message
    assert "weights from elsewhere in pretrain.source: imagenet" in message
    assert "\n" not in message


def test_a_candidate_with_the_data_of_the_target_is_refused(tmp_path):
    yaml = YAML()
    parameters = yaml.load(ROOT / "params.yaml")
    parameters["domains"]["twin"] = parameters["domains"]["liver"]
    parameters["sources"]["candidates"] = ["twin"]
    path = tmp_path / "params.yaml"
    yaml.dump(parameters, path)
    with pytest.raises(InputError, match="sources.candidates: got 'twin', .* with other patients$"):
        load_parameters(path)


def test_one_data_set_may_start_from_published_weights(tmp_path):
    text = (ROOT / "params.yaml").read_text()
    text = text.replace("source: lung ", "source: liver ", 1)
    text = text.replace("  source: lung ", "  source: imagenet ")
    text = text.replace("name: resnet ", "name: torchvision-resnet18-planes ")
    path = tmp_path / "params.yaml"
    path.write_text(text)
    parameters = load_parameters(path)
    assert parameters.source == parameters.target == "liver"


def test_the_setting_of_the_torchvision_tutorial_is_allowed(tmp_path):
    path = write_edited(tmp_path, "  source: lung ", "  source: imagenet ")
    text = path.read_text()
    for before, after in (
        ("name: resnet ", "name: torchvision-resnet18 "),
        ("batch: 8", "batch: 32"),
        ("adamw ", "adam "),
        ("epochs: 40", "epochs: 10"),
        ("lr: 0.002", "lr: 0.001"),
        ("- 32\n  - 32\n  - 32", "- 224\n  - 224"),
        ("- 1.0\n  - 1.0\n  - 1.0", "- 1.0\n  - 1.0"),
    ):
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)
    training = load_parameters(path).training
    assert training.batch == 32
    assert training.optimizer == "adam"


def test_a_path_of_a_domain_that_is_a_link_to_itself_is_read_by_another_stage(tmp_path):
    link = tmp_path / "loop"
    link.symlink_to("loop")
    path = write_edited(tmp_path, "path: data/phantom/lung ", f"path: {link} ")
    assert load_parameters(path).domains["lung"].path == str(link)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        load_parameters(tmp_path / "params.yaml")


def test_a_file_without_keys_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("- 1\n")
    with pytest.raises(InputError, match="expected keys and values"):
        load_parameters(path)


def is_value(line: str) -> bool:
    """Whether a line of params.yaml has a key and its value, and is no item of a list."""
    text = line.strip()
    if not text or line.startswith("#"):
        return False
    return not text.endswith(":") and not text.startswith("- ")


def test_every_key_of_params_yaml_has_a_comment_where_it_first_appears():
    first_lines = {}
    for line in (ROOT / "params.yaml").read_text().splitlines():
        if is_value(line):
            key, _, _ = line.partition(":")
            first_lines.setdefault(key.strip(), line)
    uncommented = [key for key, line in first_lines.items() if "#" not in line]
    assert uncommented == []


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("  epochs: 0  ", "  epochs: 5  ", "self_supervise.epochs: got 5 with privacy.epsilon 3, "),
        ("  source: lung  ", "  source: theirs.pth  ", "pretrain.source: got 'theirs.pth' with pr"),
        (
            "    covariates: {}",
            "    covariates: {age: number}",
            "domains.lung.covariates: got {'age': 'number'} with privacy.epsilon 3, expected {}",
        ),
        (
            "    tasks: {}",
            "    tasks: {rating: ordinal}",
            "domains.lung.tasks: got {'rating': 'ordinal'} with privacy.epsilon 3, expected {}",
        ),
        (
            "      duplicates: refuse",
            "      duplicates: drop",
            "domains.lung.split.duplicates: got 'drop' with privacy.epsilon 3, expected 'refuse'",
        ),
    ],
)
def test_what_would_break_the_privacy_of_the_source_is_refused(tmp_path, before, after, message):
    path = write_edited(tmp_path, before, after)
    load_parameters(path)  # possible without privacy
    path.write_text(path.read_text().replace("  epsilon:  ", "  epsilon: 3.0  "))
    with pytest.raises(InputError) as caught:
        load_parameters(path)
    assert message in str(caught.value)
