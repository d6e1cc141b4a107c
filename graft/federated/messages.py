"""What the server and the sites tell each other, and its form as bytes.

A message has plain values and tensors. Nothing in it is ever run: the values are JSON and the
tensors safetensors.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from graft.common.files import InputError
from graft.common.names import Identifier
from graft.common.parameters import Section
from graft.common.shown import first_line
from graft.federated.settings import SiteParameters
from graft.networks.saved import as_bytes

# What the server asks for.
DESCRIBE = "describe"
PREPARE = "prepare"
TRAIN = "train"
VALIDATE = "validate"
FINISH = "finish"
STOP = "stop"
ERROR = "error"  # the answer of a site that cannot go on

Natural = Annotated[int, Field(ge=0)]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]+$", max_length=64)]


@dataclass(frozen=True)
class Message:
    """A question of the server or the answer of a site.

    Attributes:
        kind: one of the constants of this module. An answer has the kind of its question, or ERROR.
        content: plain values.
        tensors: by their names on disk, on the CPU.
    """

    kind: str
    content: dict[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


class Description(Section):
    """What a site says about itself before anything else.

    Attributes:
        name: of the site.
        agreed: values that have to be the same at all sites, by key.
        parameters: of the site.
        architecture: the arguments of `build_network` but the seed.
        preprocessing: of its images.
        key: the fingerprint of its patient key; "" if it has none.
        proof: a digest of that key and the session. It is the same at sites with the same key.
        patients: whether the site learns from a patient, by the patient's token.
    """

    name: Identifier
    agreed: dict[str, Any]
    parameters: SiteParameters
    architecture: dict[str, Any]
    preprocessing: dict[str, Any]
    key: str
    proof: str
    patients: dict[Hex, bool]


class Prepared(Section):
    """What a site trains on.

    Attributes:
        lesions: of each class, in the training part.
        validation: the number of lesions in the validation part.
        patients: in the training part.
        left_out: how many patients it left out because they are at another site too.
        train_sha256: of the samples.
        validation_sha256: None without a validation part.
    """

    lesions: list[Natural]
    validation: Natural
    patients: Natural
    left_out: Natural
    train_sha256: Hex
    validation_sha256: Hex | None


class Trained(Section):
    """The mean loss and the mean penalty of a site's last local epoch."""

    train_loss: float
    penalty: float


class Validated(Section):
    """The weighted sum of the losses of a site's validation part, and the sum of the weights."""

    loss: float
    weight: Annotated[float, Field(ge=0)]


Answer = TypeVar("Answer", bound=Section)


def read_answer(model: type[Answer], message: Message, name: str) -> Answer:
    """Check the values of an answer.

    Raises:
        InputError: if they are not those of `model`. It names the site.
    """
    try:
        return model.model_validate(message.content)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in detail["loc"])
        raise InputError(
            f"site {name}: its answer to {message.kind!r} has a wrong value at {place or 'all'} "
            f"({detail['msg']}), expected the answer of this version of graft"
        ) from error


def encode(message: Message) -> list[bytes]:
    """The message as bytes: its values and its tensors."""
    values = {"kind": message.kind, "content": message.content}
    return [json.dumps(values).encode(), as_bytes(dict(message.tensors))]


def decode(parts: list[bytes]) -> Message:
    """Read what `encode` wrote.

    Raises:
        InputError: if it is something else.
    """
    try:
        values, tensors = parts
        read = json.loads(values)
        return Message(str(read["kind"]), dict(read["content"]), load(tensors))
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(
            f"a message cannot be read ({first_line(error)}), expected one of this version of graft"
        ) from error
