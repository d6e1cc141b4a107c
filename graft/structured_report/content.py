"""The content of a Structured Report: the template TID 1500 with a group for each lesion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    ImageRegion3D,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from graft.grids.volume import LPS_TO_RAS
from graft.prediction.prediction import Prediction
from graft.structured_report import codes as own
from graft.structured_report.identifiers import make_uid

Concept = Code | CodedConcept
SOFTWARE = "graft"
UNKNOWN_VERSION = "unknown"  # of graft if it is not installed


@dataclass(frozen=True)
class Source:
    """The series that a report is about.

    Attributes:
        series_uid: of the series.
        frame_of_reference: its UID.
        modality: such as CT.
        affine: (4, 4) from voxel indices to mm, LPS+.
    """

    series_uid: str
    frame_of_reference: str
    modality: str
    affine: np.ndarray

    def locate(self, prediction: Prediction) -> np.ndarray:
        """The position (3,) of a lesion in mm, LPS+."""
        lesion = prediction.lesion
        position = np.array(lesion.position, float)
        if lesion.frame == "voxel":
            return self.affine[:3, :3] @ position + self.affine[:3, 3]
        return position if lesion.frame == "lps" else LPS_TO_RAS[:3, :3] @ position


def make_content(
    source: Source, predictions: Sequence[Prediction], version: str
) -> MeasurementReport:
    """Make the content of a report.

    Args:
        source: the series.
        predictions: at least one, for lesions of it, all by one model.
        version: of graft.
    """
    model = predictions[0].model
    observer = DeviceObserverIdentifyingAttributes(
        uid=make_uid("model", model),
        name=f"{SOFTWARE} (research only)",
        manufacturer_name=SOFTWARE,
        model_name=f"{SOFTWARE} {version}",
        serial_number=model,
    )
    context = ObservationContext(
        observer_device_context=ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=observer
        )
    )
    groups = []
    for number, prediction in enumerate(predictions, start=1):
        groups.append(_make_group(source, prediction, number, version))
    return MeasurementReport(
        observation_context=context,
        procedure_reported=own.PROCEDURES.get(source.modality, codes.cid100.ImagingProcedure),
        imaging_measurements=groups,
    )


def _make_group(
    source: Source, prediction: Prediction, number: int, version: str
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    position = source.locate(prediction)
    tracking = TrackingIdentifier(
        uid=make_uid("lesion", source.series_uid, position.round(3).tolist()),
        identifier=f"lesion {number}",
    )
    region = ImageRegion3D(
        graphic_type="POINT",
        graphic_data=position[None],
        frame_of_reference_uid=source.frame_of_reference,
    )
    algorithm = AlgorithmIdentification(
        name=SOFTWARE, version=version, parameters=[f"SHA-256 of the model: {prediction.model}"]
    )
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        referenced_region=region,
        finding_type=codes.SCT.Lesion,
        algorithm_id=algorithm,
        measurements=_make_measurements(prediction),
        qualitative_evaluations=_make_evaluations(prediction),
        geometric_purpose=codes.DCM.Center,
    )
    for concept, text in _make_texts(prediction):
        item = TextContentItem(concept, text, RelationshipTypeValues.CONTAINS)
        group[0].ContentSequence.append(item)
    return group


def _make_measurements(prediction: Prediction) -> list[Measurement]:
    """The probabilities: of the last class if there are two, else of each."""
    classes = list(prediction.probabilities)
    wanted = classes[-1:] if len(classes) == 2 else classes
    measurements = []
    for name in wanted:
        number = classes.index(name)
        if prediction.calibrated is not None:
            concept, is_percent = own.probability_of(name, number)
            value = prediction.calibrated[name]
            if is_percent:
                percent = round(100 * value, 6)  # 100 times six decimals has rounding errors
                measurements.append(Measurement(concept, percent, own.PERCENT))
            else:
                measurements.append(Measurement(concept, value, own.NO_UNITS))
        raw = own.raw_probability_of(name, number)
        measurements.append(Measurement(raw, prediction.probabilities[name], own.NO_UNITS))
    return measurements


def _make_evaluations(prediction: Prediction) -> list[QualitativeEvaluation]:
    classes = list(prediction.probabilities)
    found: list[tuple[CodedConcept, Concept]] = [(own.INTENDED_USE, own.RESEARCH_ONLY)]
    if prediction.called is not None:
        found.append((own.CALLED, own.answer_code(prediction.called, classes)))
    found.append((own.ANSWER, own.answer_code(prediction.answer, classes)))
    if prediction.calibrated is not None:  # an older folder does not check its inputs
        found.append((own.FAMILIAR, own.yes_or_no(not prediction.refused)))
    return [QualitativeEvaluation(concept, value) for concept, value in found]


def _make_texts(prediction: Prediction) -> list[tuple[CodedConcept, str]]:
    """What has no codes: the operating point, the conformal set and reasons of a refusal."""
    texts = []
    if prediction.threshold is not None:
        disease = list(prediction.probabilities)[-1]
        point = f"{prediction.point}: {disease} from {prediction.threshold:g} before calibration"
        texts.append((own.POINT, point))
    if prediction.plausible is not None:
        texts.append((own.SET, ", ".join(prediction.plausible) or "no class"))
    if prediction.known is not None:
        texts.append((own.KNOWN, prediction.known_note))
    for reason in prediction.refused:
        texts.append((own.REASON, f"{reason.check}: {reason.text}"))
    return texts
