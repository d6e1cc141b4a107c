"""The section about known lesions of a patient."""

from graft.evidence.evidence import Evidence
from graft.report import known, page

MINUS = "\N{MINUS SIGN}"


def section_of(evidence: Evidence) -> str:
    environment = page.make_environment()
    environment.globals.update(page.MODULES)
    return environment.get_template("known.html.j2").render(evidence=evidence)


def test_the_table_has_the_scores_without_and_with_a_known_lesion(read_run):
    log_loss, auroc = known.gain(read_run().block("patient_effect")["gain"]).rows
    assert [name for name, *_ in (log_loss, auroc)] == ["log loss", "AUROC"]
    assert log_loss[1].startswith("0.550 [")
    assert log_loss[2].startswith("0.500 [")
    assert log_loss[3].startswith(f"{MINUS}0.050 [{MINUS}0.070,")
    assert log_loss[4] == "0.027"


def no_gain(metrics: dict) -> None:
    metrics["patient_effect"] |= {"gain": None, "distinguishable": False, "sentence": "No effect."}


def test_without_an_effect_the_section_has_its_sentence_alone(read_run):
    section = section_of(read_run(change=no_gain))
    assert "<p>No effect.</p>" in section
    assert "<table" not in section


def test_without_an_estimate_the_section_says_what_it_needs(read_run):
    section = section_of(read_run(bare=True))
    assert "There is no estimate: it needs two classes" in section
