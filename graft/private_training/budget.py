"""How much noise a guarantee needs, and which guarantee the noise of a training gave."""

import warnings
from dataclasses import asdict, dataclass
from typing import Any

from graft.common.files import InputError
from graft.private_training.settings import Privacy

DELTA_SHARE = 0.1  # δ times the number of patients, if no δ is given
ACCOUNTANT = "rdp"
EXTRA = "pip install 'graft[private]'"


@dataclass(frozen=True)
class Budget:
    """The mechanism of a private training: in each step, the subsampled Gaussian mechanism.

    Attributes:
        patients: N, who are in the training part. This number counts as public.
        sampling_rate: q, the probability that a patient is in a step.
        steps: of the training.
        noise_multiplier: σ; the noise has the standard deviation σ·C in each weight.
        clip: C.
        delta: δ.
    """

    patients: int
    sampling_rate: float
    steps: int
    noise_multiplier: float
    clip: float
    delta: float

    @property
    def expected(self) -> float:
        """The expected number of patients in a step, qN, by which each sum is divided."""
        return self.sampling_rate * self.patients

    def epsilon(self, steps: int | None = None) -> float:
        """The ε that Opacus's accountant gives for so many steps, by default for all of them."""
        accountant = make_accountant()
        taken = self.steps if steps is None else steps
        accountant.history = [(self.noise_multiplier, self.sampling_rate, taken)]
        return spent(accountant, self.delta)

    def describe(self) -> dict[str, Any]:
        """The budget as an entry of a card."""
        return {"accountant": ACCOUNTANT, **asdict(self)}


def plan_budget(privacy: Privacy, patients: int) -> Budget:
    """Find the least noise with which a training keeps to `privacy.epsilon`.

    Args:
        privacy: with an ε.
        patients: N.

    Raises:
        InputError: if δ is not far enough below 1/N, or if no noise is enough.
    """
    assert privacy.epsilon is not None, "without an epsilon there is no private training"
    delta = DELTA_SHARE / patients if privacy.delta is None else privacy.delta
    if delta * patients >= 1:
        raise InputError(
            f"privacy.delta: got {delta:g} with {patients} patients to train on, expected less "
            f"than 1 / {patients}: a training may publish a whole patient with probability δ"
        )
    rate = min(1.0, privacy.batch / patients)
    steps = privacy.epochs * max(1, round(1 / rate))
    try:
        from opacus.accountants.utils import get_noise_multiplier
    except ModuleNotFoundError as error:
        raise missing_opacus() from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a better order of the Rényi divergence may exist
            noise = get_noise_multiplier(
                target_epsilon=privacy.epsilon,
                target_delta=delta,
                sample_rate=rate,
                steps=steps,
                accountant=ACCOUNTANT,
                epsilon_tolerance=min(0.01, privacy.epsilon / 100),
            )
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"privacy.epsilon: got {privacy.epsilon:g} with delta {delta:g} and {steps} steps, "
            "which no noise reaches; expected a larger epsilon or delta, or fewer epochs"
        ) from error
    return Budget(patients, rate, steps, float(noise), privacy.clip, delta)


def make_accountant() -> Any:
    """Make the accountant of Opacus that all figures come from.

    It composes Rényi divergences (Mironov, Talwar and Zhang, "Rényi Differential Privacy of the
    Sampled Gaussian Mechanism", 2019), an upper bound that is proven for adding a patient as well
    as for removing one.

    Raises:
        InputError: if Opacus is not installed.
    """
    try:
        from opacus.accountants import create_accountant
    except ModuleNotFoundError as error:
        raise missing_opacus() from error
    return create_accountant(ACCOUNTANT)


def spent(accountant: Any, delta: float) -> float:
    """The ε of everything that an accountant has counted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a better order of the Rényi divergence may exist
        return float(accountant.get_epsilon(delta=delta))


def missing_opacus() -> InputError:
    """What to say if Opacus is not installed."""
    return InputError(
        f"privacy.epsilon: private training needs the library opacus, expected it to be installed: "
        f"{EXTRA}"
    )
