"""The codes of a Structured Report: standard ones where they exist, else those of graft."""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from graft.conformal.quantiles import CANNOT_TELL
from graft.prediction.prediction import REFUSED

SCHEME = "99GRAFT"  # of private codes; 99 is what DICOM prescribes (PS3.16, section 8)
LONGEST_MEANING = 64  # characters of a meaning
PERCENT = codes.UCUM.Percent
NO_UNITS = codes.UCUM.NoUnits
PROCEDURES = {
    "CT": codes.cid100.CTUnspecifiedBodyRegion,
    "MR": codes.cid100.MRIUnspecifiedBodyRegion,
    "PT": codes.cid100.PETUnspecifiedBodyRegion,
}  # by modality
CANCER = ("malignant", "cancer")  # classes whose probability has a standard code
CLASSES = {
    "benign": codes.SCT.Benign,
    "malignant": codes.SCT.Malignant,
    CANNOT_TELL: codes.SCT.Indeterminate,
}  # with a standard code


def private(value: str, meaning: str) -> CodedConcept:
    """A code of graft."""
    return CodedConcept(value, SCHEME, meaning[:LONGEST_MEANING])


INTENDED_USE = private("use", "Intended use")
RESEARCH_ONLY = private("research-only", "Research only, not for diagnosis")
CALLED = private("called", "Class at the operating point")
POINT = private("point", "Operating point")
ANSWER = private("answer", "Answer")
FAMILIAR = private("familiar", "Image is like the training data")
REASON = private("refusal", "Reason for the refusal")
SET = private("set", "Conformal set")
KNOWN = private("known", "Known lesions of the patient")
SCHEMES = [CodingSchemeIdentificationItem(SCHEME, name="graft", responsible_organization="graft")]


def probability_of(name: str, number: int) -> tuple[Code | CodedConcept, bool]:
    """The code of the calibrated probability of a class, and whether its unit is percent."""
    if name.lower() in CANCER:
        return codes.DCM.ProbabilityOfCancer, True
    return private(f"probability-{number}", f"Calibrated probability of {name}"), False


def raw_probability_of(name: str, number: int) -> CodedConcept:
    """The code of the probability of a class before calibration."""
    return private(f"raw-{number}", f"Probability of {name} before calibration")


def answer_code(answer: str, classes: list[str]) -> Code | CodedConcept:
    """The code of a class, of "cannot tell" or of a refusal."""
    if answer.lower() in CLASSES:
        return CLASSES[answer.lower()]
    if answer == REFUSED:
        return private("refused", "Refused: the image is unlike the training data")
    return private(f"class-{classes.index(answer)}", answer)


def yes_or_no(value: bool) -> Code:
    """The standard code of yes or no."""
    return codes.SCT.Yes if value else codes.SCT.No
