"""A flow that works with a model has the folder of the repository for itself."""

import shutil
from collections.abc import Callable
from pathlib import Path

from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows import command
from flows.locks import hold_first_free
from flows.model_commands import without_root
from graft.common.files import InputError


def run_alone(act: Callable[[], State], lock: Path, root: Path, work: Path) -> State:
    """Run what a flow does while no other flow runs in the repository.

    Args:
        act: returns the state of the flow.
        lock: the file that is held meanwhile.
        root: the folder of the repository, which no message names.
        work: a folder for the files of this run, deleted at its end.

    Returns:
        The state; a failed one with one line if an input cannot be used or the disk is full.
    """
    lock.parent.mkdir(exist_ok=True)
    with hold_first_free([lock], "this folder"):
        try:
            return act()
        except InputError as error:
            return Failed(message=without_root(str(error), root))
        except OSError as error:  # such as a full disk
            return Failed(message=f"the file system: {error.strerror or type(error).__name__}")
        finally:
            command.end_all()
            shutil.rmtree(work, ignore_errors=True)
