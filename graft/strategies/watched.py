"""What a module inside a network gives in each forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass
class Watched:
    """The newest tensor: of the last forward pass."""

    newest: Tensor | None = None

    def tensor(self) -> Tensor:
        """The tensor of the last forward pass, which was one."""
        assert self.newest is not None, "the network made no forward pass"
        return self.newest


@contextmanager
def watch_output(module: nn.Module) -> Iterator[Watched]:
    """Watch what a module gives, until the context ends."""
    watched = Watched()

    def keep(_: nn.Module, __: tuple, output: Tensor) -> None:
        watched.newest = output

    handle = module.register_forward_hook(keep)
    try:
        yield watched
    finally:
        handle.remove()
