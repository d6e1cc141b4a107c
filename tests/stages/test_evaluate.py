"""The stage on real files: weights, images, splits."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from huggingface_hub import ModelCard

from graft.common.files import InputError, read_json, write_sealed
from graft.data import split
from graft.data.covariates import Encoding
from graft.data.domain import Domain, write_domain
from graft.data.sealed_tables import write_sealed_table
from graft.data.task import read_task, take_samples
from graft.keys.pseudonyms import PUBLISHED_KEY, keyed_sha256
from graft.leakage import rows
from graft.networks import saved
from graft.networks.build import build_network
from graft.networks.card import write_no_model
from graft.private_training.budget import Budget
from graft.private_training.without import write_without_privacy
from graft.release.fitted import Fitted
from graft.training import fitting
from stages import cross_validate, evaluate, learning_curve, paths
from tests.processed import edit_images, read_parts, write_parts
from tests.seals import flip_bit, reseal
from tests.small_target import edit_parameters

ROOT = Path(__file__).parents[2]
PATCH = [8, 8]
CLASSES = ["benign", "malignant"]
OUTPUTS = (
    "metrics/metrics.json",
    "metrics/summary.json",
    "metrics/predictions.csv",
    "models/best/card.json",
    "models/best/fitted.json",
    "models/best/README.md",
    "metrics/plots/roc.csv",
)
RANKED = {
    "target": "liver",
    "distances": [
        {
            "source": "lung",
            "lesions": 12,
            "frechet": 9.5,
        }
    ],
    "ranking": [
        {"source": "lung", "logme": -0.5},
        {"source": "random", "logme": -0.7},
    ],
}

CHECKS = [
    *(rows.passed_check(name, "lung", "all", "none") for name in rows.WITHIN),
    *(rows.passed_check(name, "liver", "all", "none") for name in rows.WITHIN),
    *(rows.passed_check(name, "lung", "all", "none") for name in rows.EACH),
    *(rows.passed_check(name, "liver", "all", "none") for name in rows.EACH),
    *(rows.passed_check(name, "lung and liver", "all", "none") for name in rows.ACROSS),
]


def write_processed(name: str, sites: bool, patients_known: bool = True) -> None:
    """A processed domain of 24 patients with two lesions each, and its split."""
    random = np.random.default_rng(len(name))
    patient = np.arange(48) // 2
    parts = np.array(["train", "validation", "test", "external" if sites else "test"])
    index = pd.DataFrame(
        {
            "sample": np.arange(48),
            "patient": [f"p{i:02}" for i in patient],
            "label": np.array(CLASSES)[patient // 4 % 2],
            "site": "",
            "split": "",
            "origin": "",
            "size": random.uniform(5, 30, 48),
            "hash": [f"{name} {i}" for i in range(48)],
        }
    )
    images = random.random((48, 1, *PATCH))
    domain = Domain(name, images, index, CLASSES, {}, patients_known=patients_known)
    write_domain(Path("data/processed") / name, domain)
    write_parts(name, parts[patient % 4])


def write_model(folder: Path, seed: int, classes: list[str] = CLASSES) -> None:
    """Write a network of random weights, whose card names the data written above."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = {"name": "resnet", "patch": PATCH, "channels": 1, "classes": len(classes), "width": 8}
    card = {"architecture": shape, "classes": classes, "stage": folder.name}
    if folder.name == "boosting":
        card["alphas"] = [0.0]
    if folder.name == "transfer":
        card["training"] = {"strategy": "l2-sp"}
    parent = evaluate.PARENTS.get(folder.name)
    name = "lung" if folder == paths.PRETRAINED else "liver"
    split_file = Path(f"data/splits/{name}.csv")
    task = read_task(Path("data/processed") / name, split_file, torch.device("cpu"))
    card |= {"data": task.sha256(), "parent": parent and fitting.parent_reference(parent)}
    saved.save_model(folder, [build_network(**shape, seed=seed)], card)


def read_metrics() -> dict:
    return read_json(paths.METRICS_DOCUMENT)


def read_outputs() -> list[bytes]:
    return [Path(output).read_bytes() for output in OUTPUTS]


def write_models() -> None:
    for seed, folder in enumerate([paths.PRETRAINED, *evaluate.MODELS.values()]):
        write_model(folder, seed)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    params = params.replace("resamples: 2000", "resamples: 200")
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    for name in ("lung", "liver"):
        write_processed(name, sites=True)
    write_models()
    Path("metrics").mkdir()
    write_sealed(Path("metrics/checks.json"), rows.checks_document(CHECKS))
    write_sealed(Path("metrics/sources.json"), RANKED)
    write_sealed_table(paths.REPEATED["learning_curve"], learning_curve.empty_table(CLASSES))
    write_sealed_table(paths.REPEATED["cross_validation"], cross_validate.empty_table(CLASSES))
    write_no_model(paths.DEEP, "no draws")
    write_no_model(paths.SELF_SUPERVISED, "no epochs")
    threads = torch.get_num_threads()
    # On a busy machine, one thread needs a tenth of the time for images this small.
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def test_writes_every_output_and_the_same_bytes_twice(project, capsys):
    evaluate.main()
    first = read_outputs()
    evaluate.main()
    assert read_outputs() == first
    assert "best by validation log loss" in capsys.readouterr().out
    # No temporary file remains.
    for path in project.rglob(".*"):
        assert "partial" not in path.name
        assert "former" not in path.name


def test_unknown_patients_and_a_useless_boosting_are_reported(project, capsys):
    write_processed("liver", sites=True, patients_known=False)
    evaluate.main()
    metrics = read_metrics()
    assert metrics["bootstrap"]["unit"] == "lesion"
    assert metrics["target"]["counts"]["test"]["patients"] is None
    assert metrics["source"]["counts"]["test"]["patients"] == 6
    assert {row["patients"] for row in metrics["subgroups"]["rows"]} == {None}
    printed = capsys.readouterr().out
    assert "its patients are unknown" in printed
    assert "boosting: no member is better than chance" in printed


def test_the_best_model_is_a_copy_of_the_chosen_one(project):
    evaluate.main()
    name = read_metrics()["chosen"]["model"]
    chosen = evaluate.MODELS[name]
    for file in ("weights.safetensors", "card.json"):
        assert (paths.BEST / file).read_bytes() == (chosen / file).read_bytes()


def test_the_best_model_has_what_was_fitted_with_it(project):
    edit_parameters(release={"licence": "cc-by-nc-4.0"})
    evaluate.main()
    metrics = read_metrics()
    fitted = Fitted.read(paths.BEST)
    model = metrics["models"][fitted.name]
    assert fitted.name == metrics["chosen"]["model"]
    assert fitted.temperature == model["calibration"]["temperature"]
    for name, point in model["operating_points"].items():
        assert fitted.points[name] == (point and pytest.approx(point["threshold"]))
    for name, found in metrics["conformal"]["classes"].items():
        assert found == {"cases": 6, "quantile": None}  # 9 are needed for 90 %
        assert fitted.quantiles[name] is None
    assert fitted.licence == "CC-BY-NC-4.0"
    assert fitted.provenance["weights"] == metrics["hashes"]["models"][fitted.name]
    assert metrics["conformal"]["test"]["not_one_class"]["value"] == 1
    card = (paths.BEST / "README.md").read_text()
    data = ModelCard(card).data
    assert data.license == "cc-by-nc-4.0"
    assert [result.dataset_split for result in data.eval_results][::2] == ["test", "external"]
    assert data.eval_results[0].metric_value == model["test"]["auroc"]["value"]
    assert "Research only" in card
    assert metrics["hashes"]["target"]["split"] in card
    assert str(project) not in card


def test_a_deep_ensemble_is_evaluated_and_not_chosen_from(project):
    evaluate.main()
    assert read_metrics()["ensembles"]["deep"] is None
    edit_parameters(finetune={"epochs": 1}, learning_curve={"draws": 2, "arms": ["frozen"]})
    learning_curve.main()
    evaluate.main()
    metrics = read_metrics()
    for name in ("deep", "deep_scratch"):
        assert metrics["ensembles"][name]["members"] == 2
    curve = metrics["learning_curve"]["points"][-1]["arms"]["scratch"]["auroc"]["value"]
    found = metrics["ensembles"]["deep_scratch"]["test"]
    assert found["auroc"]["value"] - found["gain"]["value"] == pytest.approx(curve, abs=1e-5)
    assert set(metrics["models"]) == set(evaluate.MODELS)
    assert (
        metrics["hashes"]["models"]["deep"] == read_json(paths.DEEP / "card.json")["weights_sha256"]
    )


def test_the_test_part_decides_neither_the_choice_nor_a_threshold(project):
    evaluate.main()
    before = read_metrics()
    tested = read_parts("liver").isin(["test", "external"])
    edit_images("liver", lambda images: images.__setitem__(tested, 0))
    evaluate.main()
    after = read_metrics()
    bagging_before = before["models"]["bagging"]["test"]
    bagging_after = after["models"]["bagging"]["test"]
    assert bagging_after["auroc"] != bagging_before["auroc"]
    assert after["chosen"] == before["chosen"]
    for name in evaluate.MODELS:
        old = before["models"][name]
        new = after["models"][name]
        assert new["threshold"] == old["threshold"]
        assert new["validation"] == old["validation"]
        assert new["calibration"]["temperature"] == old["calibration"]["temperature"]
        for wanted in ("sensitivity", "specificity"):
            old_point = old["operating_points"][wanted]
            new_point = new["operating_points"][wanted]
            assert new_point["threshold"] == old_point["threshold"]
            assert new_point["validation"] == old_point["validation"]


def test_attributes_of_patients_make_subgroups_and_change_nothing_else(project):
    evaluate.main()
    before = read_metrics()
    domain = Domain.read(Path("data/processed/liver"))
    sex = np.where(np.arange(48) // 2 % 3, "F", "M")
    attributes = pd.DataFrame({"sex": sex, "age": "60 to 69"})
    changed = replace(domain, images=np.array(domain.images), groups=attributes)
    write_domain(Path("data/processed/liver"), changed)
    evaluate.main()
    after = read_metrics()
    rows_found = after["subgroups"]["rows"]
    found = {(row["by"], row["group"], row["part"]) for row in rows_found}
    assert ("sex", "F", "test") in found
    assert ("sex", "M", "external") in found
    assert ("age", "60 to 69", "test") in found
    assert {**after, "subgroups": None} == {**before, "subgroups": None}


def test_without_an_external_site_its_scores_are_null(project):
    for name in ("lung", "liver"):
        write_processed(name, sites=False)
    write_models()
    evaluate.main()
    metrics = read_metrics()
    assert metrics["models"]["scratch"]["external"] is None
    assert metrics["source"]["pretrained"]["external"] is None


def test_weights_trained_elsewhere_are_not_evaluated_on_the_source(project, capsys):
    folder = paths.PRETRAINED
    changes = {"classes": [], "weights": {"source": "imagenet"}}
    reseal(folder / "card.json", lambda card: card.update(changes))
    evaluate.main()
    source = read_metrics()["source"]
    assert source["pretrained"] is None
    assert source["gain_over_size"] is None
    assert source["size_alone"]["test"]
    message = "no label of lung was used: the pretrained weights come without a head"
    assert message in capsys.readouterr().out


def test_predictions_are_those_of_the_saved_weights(project):
    evaluate.main()
    table = pd.read_csv("metrics/predictions.csv")
    transfer = table[table["model"] == "transfer"]
    images = np.load("data/processed/liver/images.npy")[transfer["sample"]]
    expected = saved.load_model(evaluate.MODELS["transfer"]).predict(images)
    assert np.allclose(transfer[["p_benign", "p_malignant"]], expected, atol=1e-6)


def test_a_model_of_other_classes_raises_an_error_and_keeps_the_outputs(project):
    evaluate.main()
    before = read_outputs()
    write_model(evaluate.MODELS["boosting"], 9, ["cyst", "tumour"])
    message = r"boosting: has the classes \['cyst', 'tumour'\], expected"
    with pytest.raises(InputError, match=message):
        evaluate.main()
    assert read_outputs() == before


def test_a_split_without_a_test_part_raises_an_error(project):
    write_parts("liver", read_parts("liver").replace("test", ""))
    with pytest.raises(InputError, match=r"liver.csv: no sample is in the part 'test'"):
        evaluate.main()


def test_a_model_trained_on_a_test_part_raises_an_error_before_any_score(project):
    folder = evaluate.MODELS["regularized"]
    domain = Domain.read(Path("data/processed/liver"))
    rows = split.read_split(Path("data/splits/liver.csv"), domain.index)
    both = np.sort(np.concatenate([rows["train"], rows["test"]]))
    samples = take_samples(domain, both, Encoding(), torch.device("cpu"))
    changes = {"train_sha256": samples.sha256()}
    reseal(folder / "card.json", lambda card: card["data"].update(changes))
    with pytest.raises(
        InputError,
        match="^models/regularized/card.json: trained on train and test, expected the part train",
    ):
        evaluate.main()
    assert not Path("metrics/metrics.json").exists()


def test_the_checks_and_the_hashes_are_in_the_metrics(project):
    evaluate.main()
    found = read_metrics()
    assert found["checks"][: len(CHECKS)] == CHECKS
    assert [row["name"] for row in found["checks"][-4:]] == [
        "tuning",
        "choice",
        "release",
        "quantiles",
    ]
    split_file = Path("data/splits/liver.csv").read_bytes()
    assert found["hashes"]["target"]["split"] == hashlib.sha256(split_file).hexdigest()
    weights = (evaluate.MODELS["boosting"] / "weights.safetensors").read_bytes()
    assert found["hashes"]["models"]["boosting"] == hashlib.sha256(weights).hexdigest()


@pytest.mark.parametrize("lost", [0, len(rows.WITHIN), len(CHECKS) - 1])
def test_a_missing_check_is_noticed(project, lost):
    reseal(paths.CHECKS, lambda content: content["checks"].pop(lost))
    name, domain = CHECKS[lost]["name"], CHECKS[lost]["domain"]
    message = (
        f"^metrics/checks.json: lacks 1 check of {len(CHECKS)}, the first is '{name}' of {domain}, "
    )
    with pytest.raises(InputError, match=message):
        evaluate.main()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"passed": False}, r"\$.checks\[3\].passed: True was expected"),
        ({"name": 5}, r"\$.checks\[3\].name: 5 is not of type 'string'"),
    ],
)
def test_a_check_that_did_not_pass_is_noticed(project, change, message):
    reseal(paths.CHECKS, lambda content: content["checks"][3].update(change))
    with pytest.raises(InputError, match=f"^metrics/checks.json: {message}"):
        evaluate.main()


def test_checks_of_another_source_or_of_a_candidate_are_missing_too(project):
    for role in ("source", "target"):
        with pytest.raises(InputError, match="checks.json: lacks"):
            rows.read_checks(
                paths.CHECKS, **{"source": "lung", "target": "liver", role: "kidney"}, candidates=[]
            )
    lost = len(rows.EACH) + len(rows.ACROSS)
    message = f"checks.json: lacks {lost} checks of {len(CHECKS) + lost}"
    with pytest.raises(InputError, match=message):
        rows.read_checks(paths.CHECKS, "lung", "liver", ["kidney"])


def test_a_run_without_checks_is_not_evaluated(project):
    paths.CHECKS.unlink()
    with pytest.raises(InputError, match="^metrics/checks.json: is missing"):
        evaluate.main()


def test_shares_that_do_not_sum_to_1_are_noticed(project):
    reseal(evaluate.MODELS["bagging"] / "card.json", lambda card: card.update(shares=[0.9]))
    with pytest.raises(InputError, match=r"bagging/card.json: has the shares \[0.9\], expected"):
        evaluate.main()


def test_a_flipped_bit_in_any_input_is_noticed(project):
    inputs = [
        *Path("data").rglob("*.*"),
        *Path("models").rglob("*.*"),
        *Path("metrics").rglob("*.*"),
    ]
    assert len(inputs) == 26
    random = np.random.default_rng(0)
    for path in sorted(inputs):
        content = path.read_bytes()
        position = int(random.integers(len(content)))
        while chr(content[position]).isspace():  # between the values of JSON
            position = int(random.integers(len(content)))
        flip_bit(path, position, int(random.integers(8)))
        with pytest.raises(InputError) as caught:
            evaluate.main()
        assert "\n" not in str(caught.value)
        path.write_bytes(content)
    assert not Path("metrics/metrics.json").exists()


def make_private(epsilon: float = 3.0) -> None:
    """Write the pretrained network as if it had been trained privately, and its comparison."""
    domain = Domain.read(paths.processed("lung"))
    task = read_task(paths.processed("lung"), paths.split("lung"), torch.device("cpu"))
    card = read_json(paths.PRETRAINED / "card.json")
    budget = Budget(6, 0.5, 20, noise_multiplier=2.0, clip=1.0, delta=0.01)
    guarantee = {"domain": "lung", "unit": "patient", "epsilon": epsilon, "delta": 0.01}
    keyed = keyed_sha256(task.train.sha256(), PUBLISHED_KEY)
    data = {"domain": "lung", "train_sha256": keyed, "validation_sha256": None}
    network = build_network(**card["architecture"], seed=0)
    about = {"privacy": [guarantee], "private_training": budget.describe(), "data": data}
    saved.save_model(paths.PRETRAINED, [network], {**card, **about})
    rows = np.concatenate([found for part, found in parts_of("lung").items() if part != "train"])
    write_without_privacy(paths.WITHOUT_PRIVACY, domain, rows, constant_model())
    for name in evaluate.MODELS:  # the weights of their parents have changed
        write_model(evaluate.MODELS[name], 1)


def parts_of(name: str) -> dict[str, np.ndarray]:
    domain = Domain.read(paths.processed(name))
    return split.read_split(paths.split(name), domain.index)


def constant_model() -> saved.Model:
    """A network that gives every image the same probability."""
    shape = {"name": "resnet", "patch": PATCH, "channels": 1, "classes": 2, "width": 8}
    network = build_network(**shape, seed=3).eval()
    torch.nn.init.zeros_(network.head.weight)
    card = {"architecture": shape, "classes": CLASSES, "shares": [1.0]}
    return saved.Model(card, [network])


def write_synthetic_source() -> None:
    domain = Domain.read(paths.processed("lung"))
    parts = read_parts("lung")
    write_domain(paths.processed("lung"), replace(domain, patient_key="synthetic"))
    write_parts("lung", parts)


def test_what_privacy_costs_is_reported_beside_the_guarantee(project):
    write_synthetic_source()
    make_private()
    evaluate.main()
    metrics = read_metrics()
    block = metrics["privacy"]
    assert (block["epsilon"], block["delta"], block["patients"]) == (3.0, 0.01, 6)
    auroc = block["auroc"]
    assert auroc["private"] == metrics["source"]["pretrained"]["test"]["auroc"]
    assert auroc["without"]["value"] == 0.5  # of equal predictions
    expected = auroc["private"]["value"] - 0.5
    assert auroc["difference"]["value"] == pytest.approx(expected, abs=1e-6)
    assert auroc["difference"]["low"] <= expected <= auroc["difference"]["high"]
    assert "each of its 6 training patients, with ε = 3.00 and δ = 0.01" in block["sentence"]
    assert "not private towards the patients of the target" in block["sentence"]
    assert block["sentence"].endswith("published key, so it protects nobody.")
    assert Fitted.read(paths.BEST).provenance["source"] is None
    assert metrics["hashes"]["source"]["images"] not in (paths.BEST / "README.md").read_text()


def test_a_comparison_that_lacks_a_lesion_is_refused(project):
    write_synthetic_source()
    make_private()
    domain = Domain.read(paths.processed("lung"))
    rows = parts_of("lung")["validation"]
    write_without_privacy(paths.WITHOUT_PRIVACY, domain, rows, constant_model())
    with pytest.raises(InputError, match=r"without_privacy.csv: lacks \d+ lesions of the part tes"):
        evaluate.main()


def test_the_digest_of_private_training_data_needs_the_key(project, monkeypatch):
    make_private()  # under the published key, although the data has another one
    monkeypatch.setenv("GRAFT_PATIENT_KEY", "another secret key of these tests")
    with pytest.raises(InputError, match="pretrained/card.json: trained on data that these parts"):
        evaluate.main()
