import socket

import pytest

from graft.common.files import InputError
from graft.federated.place import Place


@pytest.mark.parametrize("address", ["", "host", "host:", ":9099", "host:0", "host:99999", "h:x"])
def test_an_address_needs_a_host_and_a_port(address):
    with pytest.raises(InputError, match="address: got .* expected host:port"):
        Place(address).check_encryption()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_needs_no_encryption(host):
    Place(f"{host}:9099").check_encryption()


@pytest.mark.parametrize("host", ["10.0.0.5", "0.0.0.0", "hospital.example", "[2001:db8::1]"])
def test_another_machine_needs_encryption_or_the_word_for_none(host):
    with pytest.raises(InputError, match="another machine and there is no certificate"):
        Place(f"{host}:9099").check_encryption()
    Place(f"{host}:9099", insecure=True).check_encryption()


def test_a_certificate_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="ca.pem: is missing"):
        Place("10.0.0.5:9099", authority=tmp_path / "ca.pem").check_encryption()


def test_a_port_in_use_is_refused_and_a_free_one_is_not():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        place = Place(f"127.0.0.1:{other.getsockname()[1]}", wait_s=0)
        place.wait_for_server()
        with pytest.raises(InputError, match="no server can be started there"):
            place.check_free()
    place.check_free()
    with pytest.raises(InputError, match="no server within 0 s"):
        place.wait_for_server()


def test_an_address_of_another_machine_cannot_be_listened_on():
    with pytest.raises(InputError, match="203.0.113.1:9099: no server can be started there"):
        Place("203.0.113.1:9099").check_free()
