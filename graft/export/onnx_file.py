"""The model as ONNX, which runs in ONNX Runtime, without PyTorch."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from graft.export.exported import CALIBRATED, COVARIATES, IMAGE, PROBABILITIES
from graft.export.samples import Results, Run

if TYPE_CHECKING:
    from torch.export import ExportedProgram

DESCRIPTION = "graft"  # key in the metadata of a file
OPSET = 18


def write_onnx(path: Path, program: "ExportedProgram", description: Mapping) -> None:
    """Write a program, and what is known of the model, as one ONNX file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about its own code
        converted = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            output_names=[CALIBRATED, PROBABILITIES],
            verbose=False,
        )
    assert converted is not None  # it is None only for the older exporter
    model = converted.model
    for node in model.graph.all_nodes():
        node.metadata_props.clear()  # paths of this machine
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.metadata_props.clear()
    model.producer_name = "graft"
    model.doc_string = str(description["use"])
    model.metadata_props.clear()
    model.metadata_props[DESCRIPTION] = json.dumps(description)
    converted.save(path)


def onnx_runner(path: Path) -> Run:
    """Open an ONNX file in ONNX Runtime to run it on arrays."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(images: np.ndarray, covariates: np.ndarray | None) -> Results:
        inputs = {IMAGE: images}
        if covariates is not None:
            inputs[COVARIATES] = covariates
        calibrated, probabilities = session.run([CALIBRATED, PROBABILITIES], inputs)
        return calibrated, probabilities

    return run
