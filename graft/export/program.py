"""The model as a program of PyTorch, `torch.export`: no code of graft is needed to run it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from graft.export.exported import COVARIATES, IMAGE, Exported
from graft.export.samples import Results, Run, Samples

if TYPE_CHECKING:
    from torch.export import ExportedProgram

DESCRIPTION = "graft.json"  # in the file of a program
TRACES = ("stack_trace", "source_fn_stack", "nn_module_stack", "from_node")  # of the code


def trace_program(exported: Exported, samples: Samples) -> "ExportedProgram":
    """Trace the model on two samples, for a batch of any size."""
    from torch.export import Dim, export  # late: it takes a second

    inputs = {IMAGE: torch.from_numpy(samples.images[:2])}
    if samples.covariates is not None:
        inputs[COVARIATES] = torch.from_numpy(samples.covariates[:2])
    batch = Dim("batch", min=1)
    shapes = {name: {0: batch} for name in inputs}
    with torch.no_grad():
        program = export(exported, (), inputs, dynamic_shapes=shapes)
    _forget_code(program)
    return program


def write_program(path: Path, program: "ExportedProgram", description: Mapping) -> None:
    """Write a program, and what is known of the model, as one .pt2 file."""
    from torch.export import save

    with path.open("wb") as file:  # by a path, PyTorch warns unless it ends in .pt2
        save(program, file, extra_files={DESCRIPTION: json.dumps(description)})


def program_runner(path: Path) -> Run:
    """Read a .pt2 file to run it on arrays."""
    from torch.export import load

    with path.open("rb") as file:
        return module_runner(load(file).module())


def module_runner(module: Callable[..., tuple[Tensor, Tensor]]) -> Run:
    """Let a module, which maps tensors, map arrays."""

    def run(images: np.ndarray, covariates: np.ndarray | None) -> Results:
        inputs = {IMAGE: torch.from_numpy(images)}
        if covariates is not None:
            inputs[COVARIATES] = torch.from_numpy(covariates)
        with torch.no_grad():
            calibrated, probabilities = module(**inputs)
        return calibrated.numpy(), probabilities.numpy()

    return run


def _forget_code(program: "ExportedProgram") -> None:
    """Remove where the operations are written, which are paths of this machine."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                for trace in TRACES:
                    node.meta.pop(trace, None)
