"""A site as `graft federate site` starts it, but with plain SGD: python plain_site.py NAME PORT."""

import sys
from pathlib import Path

from graft.federated.flower import take_part
from graft.federated.place import Place
from tests.federation import plain_sgd, read_site

if __name__ == "__main__":
    name, port = sys.argv[1:]
    place = Place(f"127.0.0.1:{port}", wait_s=60)
    take_part(place, read_site(name, make=plain_sgd), Path("models") / name)
