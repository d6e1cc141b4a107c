"""The parameters of pretraining and fine-tuning."""

from typing import Literal

from graft.training.settings import Recipe

# Published weights by name, and what the names of their networks begin with.
PUBLISHED = {"imagenet": "torchvision-", "kinetics": "video-", "medicalnet": "medicalnet-"}
WEIGHT_SUFFIXES = (".pt", ".pth", ".safetensors")


class Pretrain(Recipe):
    """The recipe of pretraining, and the domain or the weights that the source comes from."""

    source: str


class Finetune(Recipe):
    """The recipe of fine-tuning, the penalty R and the head that it starts with."""

    penalty: Literal["l2", "l1"]
    head: Literal["new", "pretrained"]
