"""The tasks of a sweep: what its points have in common, and one point."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import graph
from flows.document import METRICS
from flows.gpus import gpu_slot
from flows.overrides import check_keys, set_parameters
from flows.sweep_table import model_rows, point_title
from flows.workspace import CommandError, git_output, run_in_clone, temporary_clone
from graft.common.files import InputError, read_json


@task(name="prepare", task_run_name="prepare", cache_policy=NO_CACHE)
def prepare(root: str, revision: str, remote: str, keys: Sequence[str]) -> State:
    """Run the stages that all points have in common, and push their outputs.

    Outputs in the repository's own cache are taken from there instead of being made again.

    Args:
        root: the folder of the repository.
        revision: the commit to run.
        remote: the DVC storage that the points share.
        keys: the parameters in which the points differ.
    """
    try:
        with temporary_clone(root, revision, remote) as folder:
            run_in_clone(folder, "dvc", "cache", "dir", "--local", str(Path(root) / ".dvc/cache"))
            run_in_clone(folder, "dvc", "pull", "--run-cache", "--allow-missing")
            check_keys(folder, keys)
            common = graph.untouched_stages(folder, keys)
            if common:
                run_in_clone(folder, "dvc", "repro", "--pull", *common)
                run_in_clone(folder, "dvc", "push", "--run-cache", *common)
            return Completed(message=f"in common: {', '.join(common) or 'nothing'}")
    except (CommandError, InputError) as error:
        return Failed(message=str(error))


@task(name="point", cache_policy=NO_CACHE)
def run_point(
    values: dict[str, object], origin: str, revision: str, remote: str
) -> State[list[dict]]:
    """Run one point as a DVC experiment and push the experiment to the repository.

    The data of the state is one row per model.

    Args:
        values: the parameters of the point by their keys.
        origin: the git URL of the repository.
        revision: the commit to run.
        remote: the DVC storage that the points share.
    """
    try:
        with temporary_clone(origin, revision, remote) as folder:
            run_in_clone(folder, "dvc", "pull", "--run-cache", "--allow-missing")
            set_parameters(folder, values)
            with gpu_slot(True) as gpu:
                run_in_clone(folder, "dvc", "exp", "run", "--pull", settings=gpu)
            run_in_clone(folder, "dvc", "push", "--run-cache")
            name = _newest_experiment(folder)
            run_in_clone(folder, "dvc", "exp", "push", "--no-cache", "origin", name)
            rows = model_rows(values, name, read_json(folder / METRICS))
            return Completed(name="Ran", data=rows)
    except (CommandError, InputError) as error:
        return Failed(message=f"{point_title(values)}: {error}")


def _newest_experiment(folder: Path) -> str:
    names = git_output(folder, "for-each-ref", "--format=%(refname:lstrip=4)", "refs/exps")
    return names.splitlines()[-1]
