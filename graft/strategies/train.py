"""One function that trains a start by any strategy."""

from collections.abc import Callable

from graft.data.task import Task
from graft.strategies import l2_sp
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import Start, fit_start

Train = Callable[[Start, Task, Plan, Log | None, bool], Row]

STRATEGIES: dict[str, Train] = {
    "l2-sp": l2_sp.train,
}


def fit_strategy(
    strategy: str,
    start: Start,
    task: Task,
    plan: Plan,
    log: Log | None = None,
    show: bool = True,
) -> Row:
    """Train a start in place, by a strategy if it has weights of a source.

    Args:
        strategy: one of STRATEGIES. Training from scratch ignores it.
        start: the network.
        task: what it trains on and is validated on.
        plan: how to train, with the pull of `start`.
        log: as in `train_network`.
        show: as in `train_network`.

    Returns:
        The row of the best epoch.

    Raises:
        InputError: if the strategy cannot use this source, or if the loss is not finite.
    """
    if start.carried is None:
        return fit_start(start, task, plan, log, show)
    return STRATEGIES[strategy](start, task, plan, log, show)
