"""A server and three sites as processes, over the loopback of this machine."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graft.federated.settings import Rounds
from graft.federated.simulate import simulate
from graft.networks.saved import load_model
from tests.federation import (
    LR,
    largest_difference,
    read_site,
    train_pooled,
    write_federation,
    write_site,
)

pytest.importorskip("flwr", reason="needs Flower: pip install 'graft[federated]'")

ROOT = Path(__file__).parents[3]
SITES = "abc"
PLAIN_SITE = Path(__file__).with_name("plain_site.py")
FULL_BATCH = {
    "training": {"batch": 64, "schedule": "constant"},
    "pretrain": {"transforms": 0, "lr": LR},
}
LONG = {"pretrain": {"epochs": 100_000, "patience": 100_000}}
LIMIT_S = 120  # of a process, which would hang otherwise


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_server(port: int, *options: object) -> subprocess.Popen[str]:
    address = f"127.0.0.1:{port}"
    words = ("-m", "graft", "federate", "server", "--sites", len(SITES), "--listen", address)
    return start(*words, "--wait", 60, *options)


def start_site(name: str, port: int, *options: object) -> subprocess.Popen[str]:
    words = ("-m", "graft", "federate", "site", f"data/processed/{name}", "--name", name)
    return start(*words, "--server", f"127.0.0.1:{port}", "--wait", 60, *options)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a process, and its errors."""
    _, errors = process.communicate(timeout=LIMIT_S)
    return process.returncode, errors


@pytest.fixture
def port(tmp_path, monkeypatch) -> int:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for_round(server: subprocess.Popen[str], number: int) -> None:
    for line in server.stdout:
        if f"round {number}/" in line:
            return
    raise AssertionError(server.stderr.read())


def test_three_processes_give_the_bytes_of_a_simulation_at_the_server_and_at_a_site(port):
    write_federation()
    server = start_server(port)
    sites = [start_site(name, port, "--to", f"models/{name}") for name in reversed(SITES)]
    for process in (server, *sites):
        assert ended(process) == (0, "")
    simulate([read_site(name) for name in SITES], Rounds(), Path("models/simulated"))
    for file in ("weights.safetensors", "card.json"):
        expected = Path("models/simulated", file).read_bytes()
        for folder in ("federated", "a", "b", "c"):
            assert Path("models", folder, file).read_bytes() == expected


def test_three_processes_with_one_full_step_equal_training_in_one_place(port):
    write_federation(**FULL_BATCH)
    server = start_server(port, "--rounds", 3)
    sites = [start(PLAIN_SITE, name, port) for name in SITES]
    for process in (server, *sites):
        assert ended(process)[0] == 0
    found = load_model(Path("models/federated"))
    steps = found.card["scores"]["round"]
    assert steps > 1
    expected = train_pooled(steps, found.card["training"]["seed"])
    assert largest_difference(found.networks[0].saved_tensors(), expected) < 1e-6


def test_a_site_that_is_killed_ends_the_training_with_a_line_each(port):
    write_federation(**LONG)
    server = start_server(port)
    sites = {name: start_site(name, port) for name in SITES}
    wait_for_round(server, 2)
    sites["b"].kill()
    code, errors = ended(server)
    reason = "site b: is lost, expected it until the end of the training\n"
    assert (code, errors) == (1, f"error: {reason}")
    assert not Path("models/federated").exists()
    for name in "ac":
        assert ended(sites[name]) == (1, f"error: the server ended the training: {reason}")
    assert ended(sites["b"])[0] == -signal.SIGKILL


def test_a_site_that_hangs_ends_the_training_after_the_timeout(port):
    write_federation(**LONG)
    server = start_server(port, "--timeout", 20)
    sites = {name: start_site(name, port) for name in SITES}
    wait_for_round(server, 1)
    sites["b"].send_signal(signal.SIGSTOP)
    reason = "site b: gave no answer within 20 s, expected it until the end of the training\n"
    assert ended(server) == (1, f"error: {reason}")
    for name in "ac":
        assert ended(sites[name]) == (1, f"error: the server ended the training: {reason}")
    sites["b"].send_signal(signal.SIGCONT)
    assert ended(sites["b"])[0] == 1


def test_a_server_that_is_killed_ends_the_sites_with_a_line_each(port):
    write_federation(**LONG)
    server = start_server(port)
    sites = [start_site(name, port) for name in SITES]
    wait_for_round(server, 2)
    server.kill()
    ended(server)
    for process in sites:
        code, errors = ended(process)
        assert code == 1
        assert errors.startswith(f"error: 127.0.0.1:{port}: the server is lost (")
        assert errors.count("\n") == 1


def test_a_site_that_differs_ends_the_training_with_a_line_each(port):
    write_federation()
    server = start_server(port)
    sites = [start_site(name, port) for name in "ab"]
    write_site("c", window=[-500.0, 400.0])
    sites.append(start_site("c", port))
    reason = "site c: window is [-500.0, 400.0], expected [-1000.0, 400.0] as at site a\n"
    assert ended(server) == (1, f"error: {reason}")
    for process in sites:
        assert ended(process) == (1, f"error: the server ended the training: {reason}")


def test_a_port_in_use_is_one_line(port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        code, errors = ended(start_server(port))
    assert code == 1
    assert errors == (
        f"error: 127.0.0.1:{port}: no server can be started there (Address already in use), "
        "expected an address of this machine and a port that is not in use\n"
    )


def test_a_site_without_a_server_ends(port):
    write_federation()
    code, errors = ended(start_site("a", port, "--wait", 0))
    assert code == 1
    assert errors.startswith(f"error: 127.0.0.1:{port}: no server within 0 s (Connection refused)")


def test_a_server_without_enough_sites_ends_and_tells_them(port):
    write_federation()
    server = start_server(port, "--wait", 15)
    site = start_site("a", port)
    assert ended(server) == (
        1,
        "error: federated: 1 of 3 sites came within 15 s, expected all of them\n",
    )
    assert ended(site)[0] == 1


def certificates(folder: Path) -> Callable[[str], Path]:
    """Write an authority and a server certificate for 127.0.0.1, in PEM."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "server")}
    names = {name: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in keys}
    now = datetime.datetime.now(datetime.UTC)
    for name, key in keys.items():
        made = (
            x509.CertificateBuilder()
            .subject_name(names[name])
            .issuer_name(names["ca"])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(name == "ca", None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(keys["ca"], hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return lambda file: folder / file


def test_an_encrypted_connection_refuses_a_site_without_the_authority(port, tmp_path):
    write_federation()
    file = certificates(tmp_path)
    files = ("--ca", file("ca.pem"), "--certificate", file("server.pem"))
    server = start_server(port, *files, "--private-key", file("server.key"))
    code, errors = ended(start_site("a", port))  # without encryption
    assert code == 1
    assert errors.startswith(f"error: 127.0.0.1:{port}: the server is lost (")
    sites = [start_site(name, port, "--ca", file("ca.pem")) for name in SITES]
    for process in (server, *sites):
        assert ended(process) == (0, "")
    assert Path("models/federated/card.json").exists()
