"""The messages over a network, with Flower: a server, and a process for each site.

A site calls the server, never the reverse, so it needs no open port. `start_server` and
`start_client` only carry questions with values and tensors. Their successor, SuperLink and
SuperNode, would run a program at the site that the server sends.
"""

import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path

from graft.common.files import InputError
from graft.console import say
from graft.federated.connections import Connection, Connections
from graft.federated.coordinate import federate, save
from graft.federated.messages import ERROR, FINISH, STOP, Message, decode, encode
from graft.federated.place import Place
from graft.federated.settings import Rounds
from graft.federated.site import Site

try:
    from flwr.client import Client, start_client
    from flwr.common import Code, FitIns, FitRes, Parameters, Status
    from flwr.server import History, Server, ServerConfig, SimpleClientManager, start_server
    from flwr.server.client_proxy import ClientProxy
    from grpc import RpcError
except ModuleNotFoundError as error:
    raise InputError(
        f"the library {error.name} is missing, expected Flower: pip install 'graft[federated]'"
    ) from error

TENSOR_TYPE = "graft"  # Flower leaves the bytes as they are
logging.getLogger("flwr").setLevel(logging.CRITICAL)  # graft's own lines say what happens


def serve(place: Place, sites: int, wish: Rounds, folder: Path) -> None:
    """Wait for the sites, train at all of them, and write the model. See `federate`.

    Args:
        place: where the sites find the server.
        sites: how many there are.
        wish: how long to train.
        folder: where the model is written.

    Raises:
        InputError: if the address is in use, if a site is missing or lost, and as in `federate`.
    """
    place.check_encryption()
    place.check_free()

    def work(manager: SimpleClientManager) -> None:
        say(f"federated: waits at {place.address} for {sites} sites")
        if not manager.wait_for(sites, timeout=place.wait_s):
            raise InputError(
                f"federated: {len(manager)} of {sites} sites came within {place.wait_s:g} s, "
                "expected all of them"
            )
        if len(manager) > sites:
            raise InputError(f"federated: {len(manager)} sites came, expected {sites}")
        reached = [_connect(proxy, place.timeout_s) for proxy in manager.all().values()]
        federate(Connections(reached, at_once=sites), wish, folder)

    server = _Server(work)
    files = (place.authority, place.certificate, place.private_key)
    start_server(
        server_address=place.address,
        server=server,
        config=ServerConfig(num_rounds=1, round_timeout=place.timeout_s),
        certificates=tuple(file.read_bytes() for file in files if file) or None,
    )
    if server.failure:
        raise server.failure


def take_part(place: Place, site: Site, folder: Path | None) -> None:
    """Answer the questions of a server until it ends the training.

    Args:
        place: of the server.
        site: this one.
        folder: where the trained model is written, if it is wanted here.

    Raises:
        InputError: if the server cannot be reached, is lost, or ends without a model.
    """
    place.check_encryption()
    place.wait_for_server()
    client = _Client(site)
    try:
        start_client(
            server_address=place.address,
            client=client,
            root_certificates=place.authority.read_bytes() if place.authority else None,
            insecure=place.authority is None,
        )
    except RpcError as error:
        if client.failure is None and client.end is None:
            raise InputError(
                f"{place.address}: the server is lost ({error.code().name.lower()}), expected it "
                "until the end of the training; nothing was written"
            ) from error
    if client.failure:
        raise client.failure
    if client.end is None or client.end.kind == STOP:
        reason = client.end.content.get("reason") if client.end else "without a reason"
        raise InputError(f"the server ended the training: {reason}")
    if folder:
        save(folder, client.end.tensors, client.end.content)
    say(f"{site.name}: finished" + (f", wrote {folder}" if folder else ""))


class _Server(Server):
    """A server of Flower that runs graft's rounds instead of its own."""

    def __init__(self, work: Callable[[SimpleClientManager], None]) -> None:
        self.manager = SimpleClientManager()
        super().__init__(client_manager=self.manager)
        self.work = work
        self.failure: Exception | None = None

    def fit(self, num_rounds: int, timeout: float | None) -> tuple[History, float]:
        """Train. An error is kept, because Flower has to end its threads before it is raised."""
        for number in (signal.SIGINT, signal.SIGTERM):  # Flower would exit with 0
            signal.signal(number, signal.SIG_DFL)
        try:
            self.work(self.manager)
        except Exception as error:
            self.failure = error
        return History(), 0.0


class _Client(Client):
    """A client of Flower that answers the questions of graft's server.

    Attributes:
        end: the last question, which ends the training.
        failure: why this site cannot go on.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.end: Message | None = None
        self.failure: InputError | None = None

    def fit(self, ins: FitIns) -> FitRes:
        """Answer a question. Flower calls every question with tensors a fit."""
        question = decode(ins.parameters.tensors)
        if question.kind in (FINISH, STOP):
            self.end = question
            answer = Message(question.kind)
        else:
            answer = self._answer(question)
        parameters = Parameters(encode(answer), TENSOR_TYPE)
        return FitRes(Status(Code.OK, ""), parameters, num_examples=1, metrics={})

    def _answer(self, question: Message) -> Message:
        try:
            return self.site.answer(question)
        except InputError as error:
            self.failure = error
            return Message(ERROR, {"reason": str(error)})


def _connect(proxy: ClientProxy, timeout_s: float) -> Connection:
    """The connection to the site of a proxy."""

    def ask(question: Message) -> Message:
        instruction = FitIns(Parameters(encode(question), TENSOR_TYPE), config={})
        began = time.monotonic()
        try:
            result = proxy.fit(instruction, timeout=timeout_s, group_id=None)
        except Exception as error:  # Flower documents no type
            late = time.monotonic() - began >= timeout_s
            found = f"gave no answer within {timeout_s:g} s" if late else "is lost"
            raise InputError(f"{found}, expected it until the end of the training") from error
        return decode(result.parameters.tensors)

    return ask
