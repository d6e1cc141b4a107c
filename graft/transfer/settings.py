"""The parameters of pretraining and fine-tuning."""

from typing import Literal

from graft.common.names import Text
from graft.training.settings import Recipe

# The prefix of the network names, by the name of the published weights.
PUBLISHED = {"imagenet": "torchvision-", "kinetics": "video-", "medicalnet": "medicalnet-"}
SELF_SUPERVISED = "self-supervised"  # pretrain.source: nothing but learning without labels
WEIGHT_SUFFIXES = (".pt", ".pth", ".safetensors")


class Pretrain(Recipe):
    """The recipe of pretraining, and its `source`.

    That is a domain, published weights, a file, or `self-supervised`.
    """

    source: Text


class Finetune(Recipe):
    """The recipe of fine-tuning, the penalty R and the head that it starts with."""

    penalty: Literal["l2", "l1"]
    head: Literal["new", "pretrained"]
