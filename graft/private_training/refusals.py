"""What would break the guarantee, as far as the data shows it; `graft.config` checks parameters."""

from graft.common.files import InputError
from graft.data.domain import Domain


def check_private_domain(domain: Domain) -> None:
    """Raise InputError if a domain cannot be trained on privately.

    The means and categories of covariates, and the levels of tasks, are computed from the patients
    who are trained on, and the cards of models have them.
    """
    name = domain.name
    if not domain.patients_known:
        raise InputError(
            f"privacy.epsilon: the data of {name} does not say whose lesions these are, expected "
            "patients, because each of them is protected as a whole"
        )
    if domain.kinds:
        raise InputError(
            f"privacy.epsilon: the domain {name} has the covariates {', '.join(domain.kinds)}, "
            "expected none: their means and categories come from its patients"
        )
    if domain.task_kinds:
        raise InputError(
            f"privacy.epsilon: the domain {name} has the tasks {', '.join(domain.task_kinds)}, "
            "expected none: their levels and weights come from its patients"
        )


def refuse_self_supervision() -> None:
    """Raise InputError because the start has seen the images of the source."""
    raise InputError(
        "privacy.epsilon: self-supervision has seen the images of the source without privacy, "
        "expected self_supervise.epochs: 0"
    )
