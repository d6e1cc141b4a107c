"""Where the server is, and how the connection to it is encrypted."""

import ipaddress
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import InputError, check_regular_file

RETRY_S = 0.5  # between two attempts to reach the server


@dataclass(frozen=True)
class Place:
    """Where the server is, and how the connection is encrypted.

    Attributes:
        address: host and port, such as `10.0.0.5:9099`.
        authority: the certificate of the authority that signed the server's, in PEM; None for a
            connection without encryption.
        certificate: of the server, which it alone needs, as the private key.
        private_key: of the certificate.
        insecure: whether a connection to another machine may lack encryption.
        wait_s: how long to wait for all sites, or for the server.
        timeout_s: how long one answer of a site may take.
    """

    address: str
    authority: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    insecure: bool = False
    wait_s: float = 600.0
    timeout_s: float = 3600.0

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The two parts of the address.

        Raises:
            InputError: if it has another form.
        """
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise InputError(
                f"address: got {self.address!r}, expected host:port, such as 127.0.0.1:9099"
            )
        return host.strip("[]"), int(port)

    def check_encryption(self) -> None:
        """Check that nothing leaves this machine unencrypted unless that was asked for.

        Raises:
            InputError: if there is no certificate, or if a file is missing.
        """
        host, _ = self.host_and_port
        if self.authority is None and not self.insecure and not _is_this_machine(host):
            raise InputError(
                f"{self.address}: is another machine and there is no certificate, expected --ca "
                "(docs/federated.md), or --insecure on a network that nobody else reads"
            )
        for file in (self.authority, self.certificate, self.private_key):
            if file is not None:
                check_regular_file(file)

    def check_free(self) -> None:
        """Check that a server can be started here. gRPC would share the port with another one.

        Raises:
            InputError: if the address is in use or not of this machine.
        """
        host, port = self.host_and_port
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as test:
                test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                test.bind(address)
                test.listen()
        except OSError as error:
            raise InputError(
                f"{self.address}: no server can be started there ({error.strerror}), expected an "
                "address of this machine and a port that is not in use"
            ) from error

    def wait_for_server(self) -> None:
        """Wait until the server can be reached.

        Raises:
            InputError: if it cannot within `wait_s`.
        """
        end = time.monotonic() + self.wait_s
        while True:
            try:
                with socket.create_connection(self.host_and_port, timeout=RETRY_S * 10):
                    return
            except OSError as error:
                if time.monotonic() > end:
                    raise InputError(
                        f"{self.address}: no server within {self.wait_s:g} s ({error.strerror}), "
                        "expected one that `graft federate server` started"
                    ) from error
                time.sleep(RETRY_S)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False
