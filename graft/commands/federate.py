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

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)

RoundsOption = Annotated[
    int | None,
    typer.Option(
        "--rounds", min=1, max=100_000, help="Rounds (default: as pretrain.epochs of params.yaml)."
    ),
]
LocalEpochs = Annotated[
    int, typer.Option(min=1, max=100_000, help="Epochs of each site in a round.")
]
Mu = Annotated[float, typer.Option(min=0, max=1e6, help="μ of FedProx; 0 is FedAvg.")]
To = Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of the model.")]


Ca = Annotated[
    Path | None,
    typer.Option("--ca", metavar="FILE", help="The certificate of the authority, in PEM."),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow another machine without encryption.")
]
Wait = Annotated[float, typer.Option(min=0, metavar="S", help="Seconds to wait for the others.")]


@app.callback()
def main() -> None:
    """Train one network at several sites, whose data stays where it is."""


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


@app.command()
def server(
    sites: Annotated[int, typer.Option(min=1, help="How many sites take part.")],
    rounds: RoundsOption = None,
    local_epochs: LocalEpochs = 1,
    mu: Mu = 0.0,
    to: To = TO,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the sites find the server.")
    ] = ADDRESS,
    ca: Ca = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate of the server, in PEM.")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its private key, in PEM.")
    ] = None,
    insecure: Insecure = False,
    wait: Wait = 600.0,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="S", help="Seconds that an answer may take.")
    ] = 3600.0,
) -> None:
    """Wait for the sites, average what they learn, and write the model. Needs no data."""
    if len({file is None for file in (ca, certificate, private_key)}) > 1:
        raise typer.BadParameter("--ca, --certificate and --private-key belong together")
    from graft.federated.flower import serve
    from graft.federated.place import Place

    place = Place(listen, ca, certificate, private_key, insecure, wait, timeout)
    serve(place, sites, _rounds(rounds, local_epochs, mu), to)


@app.command()
def site(
    domain: Annotated[Path, typer.Argument(metavar="DOMAIN", help="The processed domain.")],
    name: Annotated[str, typer.Option(help="The name of this site, which the model will show.")],
    server: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the server is.")
    ] = ADDRESS,
    split: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its split (default: data/splits/<domain>.csv)."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the trained model here too.")
    ] = None,
    ca: Ca = None,
    insecure: Insecure = False,
    wait: Wait = 600.0,
) -> None:
    """Train on the data of this site for a server. The data stays in this process."""
    from graft.federated.flower import take_part
    from graft.federated.place import Place

    place = Place(server, authority=ca, insecure=insecure, wait_s=wait)
    take_part(place, _read_site(domain, split, name), to)


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
    from math import isnan

    from graft.federated.settings import Rounds

    if isnan(mu):
        raise typer.BadParameter("--mu is nan, expected a number")
    return Rounds(rounds=rounds, local_epochs=local_epochs, mu=mu)
