"""The audit of what was fitted with the chosen model: conformal quantiles and familiar inputs."""

from graft.audit.choices import check_tuning
from graft.common.files import InputError
from graft.conformal.quantiles import fit_quantiles
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.leakage.rows import CheckRow, passed_check
from graft.release.chosen import ChosenModel
from graft.statistics.sentences import VALIDATION


def check_chosen(target: EvaluatedDomain, chosen: ChosenModel) -> list[CheckRow]:
    """Check that validation cases alone gave the quantiles and the familiar inputs.

    The quantiles are fitted again. A row for each check.

    Raises:
        InputError: if other samples were used, or if a quantile differs.
    """
    fitted = check_tuning(target, {chosen.name: chosen.fitted_on})
    cases = target.cases["validation"]
    expected = fit_quantiles(
        cases.labels,
        chosen.probabilities["validation"],
        cases.samples,
        target.domain.classes,
        chosen.conformal.miscoverage,
    )
    where = VALIDATION[target.validated_by]
    for name, quantile in chosen.conformal.quantiles.items():
        if quantile != expected.quantiles[name]:
            raise InputError(
                f"domains.{target.domain.name}: the quantile of {name} of {chosen.name} is "
                f"{quantile}, expected {expected.quantiles[name]}, which {where} alone gives"
            )
    found = f"each equal to the one that {where} alone gives"
    names = ", ".join(expected.quantiles)
    return [
        fitted | {"name": "release"},
        passed_check("quantiles", target.domain.name, names, found),
    ]
