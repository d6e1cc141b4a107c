"""`graft federate`: train one network at several sites, whose data stays where it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from graft.federated.settings import Rounds
    from graft.federated.site import Site

PARAMETERS = Path("params.yaml")
TO = Path("models/federated")
ADDRESS = "127.0.0.1:9099"

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Train one network at several sites, whose data stays where it is.",
)

RoundsOption = Annotated[
    int | None,
    typer.Option("--rounds", min=1, help="Rounds (default: as pretrain.epochs of params.yaml)."),
]
LocalEpochs = Annotated[int, typer.Option(min=1, help="Epochs of each site in a round.")]
Mu = Annotated[float, typer.Option(min=0, help="μ of FedProx; 0 is FedAvg.")]
To = Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of the model.")]


@app.command()
def simulate(
    sites: Annotated[
        list[Path],
        typer.Argument(metavar="DOMAIN", help="Processed domains: one for each site."),
    ],
    rounds: RoundsOption = None,
    local_epochs: LocalEpochs = 1,
    mu: Mu = 0.0,
    to: To = TO,
) -> None:
    """Train at sites whose data is all here, to see what it would give."""
    from graft.federated.simulate import simulate as run_here

    read = [_read_site(folder, None, folder.name) for folder in sites]
    run_here(read, _rounds(rounds, local_epochs, mu), to)


def _read_site(folder: Path, split: Path | None, name: str) -> "Site":
    """Read the domain of a site. Its split is `data/splits/lung.csv` for `data/processed/lung`."""
    from graft.common.names import check_identifier
    from graft.common.parameters import read_parameters
    from graft.federated.settings import Secret, SiteParameters
    from graft.federated.site import Site
    from graft.networks.device import use_deterministic_algorithms

    use_deterministic_algorithms()
    parameters = read_parameters(SiteParameters, PARAMETERS)
    secret = read_parameters(Secret, PARAMETERS).privacy
    file = split or folder.parent.parent / "splits" / f"{folder.name}.csv"
    return Site.read(check_identifier(name), folder, file, parameters, secret)


def _rounds(rounds: int | None, local_epochs: int, mu: float) -> "Rounds":
    from graft.federated.settings import Rounds

    return Rounds(rounds=rounds, local_epochs=local_epochs, mu=mu)
