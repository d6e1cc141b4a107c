"""A federated training in one process: the same messages and bytes as over a network."""

from collections.abc import Sequence
from pathlib import Path

from graft.federated.connections import Connection, Connections
from graft.federated.coordinate import federate
from graft.federated.messages import FINISH, STOP, Message, decode, encode
from graft.federated.settings import Rounds
from graft.federated.site import Site


def simulate(sites: Sequence[Site], wish: Rounds, folder: Path) -> None:
    """Train at sites that are all here, and write the model. See `federate`."""
    connections = Connections([connect(site) for site in sites], at_once=1)
    federate(connections, wish, folder)


def connect(site: Site) -> Connection:
    """The connection to a site of this process, which sees nothing but the bytes of messages."""

    def ask(question: Message) -> Message:
        if question.kind in (FINISH, STOP):
            return Message(question.kind)
        return decode(encode(site.answer(decode(encode(question)))))

    return ask
