"""A training step as a CUDA graph: all its kernels start with one call."""

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor], None]  # trains on images (B, C, *spatial)
WARM_UP = 3  # steps before the capture, in which libraries choose and allocate what they need


class CapturedStep:
    """A training step that is captured as a CUDA graph after some steps that run eagerly.

    The graph repeats the captured kernels on the same memory. So the step must read all that
    changes from one call to the next from tensors whose memory stays the same, and it must not
    wait for the device. The images are copied into such a tensor here. A batch of another size,
    the last one of an epoch, runs eagerly. All steps are steps of the training: none is a dry run.

    Source: "CUDA Graphs", whole-network capture, in PyTorch's notes on CUDA semantics.

    The step is passed to each call: kept here, it would keep the memory of a finished training.

    Args:
        batch: B of the captured step.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._warmed_up = 0
        self._side_stream = torch.cuda.Stream()
        self._images: Tensor | None = None
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, step: Step, images: Tensor) -> None:
        """Train on images (B, C, *spatial) on the GPU by the step, the same one each time."""
        if len(images) != self._batch:
            step(images)
        elif self._warmed_up < WARM_UP:
            self._warm_up(step, images)
        else:
            self._replay(step, images)

    def _warm_up(self, step: Step, images: Tensor) -> None:
        """Train eagerly on the stream of the capture, which has handles of its own in libraries."""
        self._side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side_stream):
            step(images)
        torch.cuda.current_stream().wait_stream(self._side_stream)
        self._warmed_up += 1

    def _replay(self, step: Step, images: Tensor) -> None:
        if self._graph is None or self._images is None:
            self._images = images.clone()
            self._graph = torch.cuda.CUDAGraph()
            # thread_local: another thread may meanwhile allocate pinned memory for later batches.
            with torch.cuda.graph(
                self._graph,
                stream=self._side_stream,
                capture_error_mode="thread_local",
            ):
                step(self._images)  # recorded, not executed
        self._images.copy_(images)
        self._graph.replay()
