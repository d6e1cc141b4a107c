"""One function that trains a start by any strategy."""

from collections.abc import Callable

from graft.data.task import Task
from graft.strategies import delta, frozen, l2_sp, lp_ft, source, wise_ft
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.settings import Strategy
from graft.transfer.start import Start, fit_start

Train = Callable[[Start, Task, Plan, Log | None, bool], Row]

STRATEGIES: dict[Strategy, Train] = {
    "l2-sp": l2_sp.train,
    "frozen": frozen.train,
    "lp-ft": lp_ft.train,
    "wise-ft": wise_ft.train,
    "delta": delta.train,
    "source": source.train,
}


def fit_strategy(
    strategy: Strategy | None,
    start: Start,
    task: Task,
    plan: Plan,
    log: Log | None = None,
    show: bool = True,
) -> Row:
    """Train a start in place, by a strategy if it starts from a source.

    Args:
        strategy: one of STRATEGIES, or None from scratch.
        start: the network.
        task: what it trains on and is validated on.
        plan: how to train. The strategy sets its penalties.
        log: as in `train_network`.
        show: as in `train_network`.

    Returns:
        The row of the best epoch.

    Raises:
        InputError: if the strategy cannot use this source, or if the loss is not finite.
    """
    if strategy is None:
        return fit_start(start, task, plan, log, show)
    return STRATEGIES[strategy](start, task, plan, log, show)
