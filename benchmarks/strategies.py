"""Each strategy of transfer against training from scratch, on the phantom.

    python -m benchmarks.strategies
    python -m benchmarks.strategies --recipe

Draws 20 labelled patients of the target 10 times, trains on them by each strategy, and predicts
about 1,000 test patients and an external site, which influence nothing. Prints the mean AUROC, the
mean paired gain over scratch with its standard error over the draws, and the training time. With
--recipe it varies the head, λ and the recipe of l2-sp instead.

The cohort is made by graft's own stages in a clone of the committed HEAD and kept in --workdir,
with the finished trainings, so that the same command resumes after an interruption. Takes about 9
minutes on two cores the first time.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from ruamel.yaml import YAML

from benchmarks.clone import ROOT, kept_clone, run_dvc
from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.files import whole_file
from graft.common.seeds import derive, generator
from graft.common.vocabulary import TESTS
from graft.config.parameters import load_parameters
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.reference import DomainReference
from graft.data.split import read_split
from graft.data.task import NO_ROWS
from graft.networks.reference import ModelReference
from graft.repeated.cache import Arrays, CachedTraining
from graft.repeated.divide import nested_shares
from graft.repeated.settings import RepeatedFinetuning
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows
from graft.statistics.repeated_auroc import auroc_from_pairs, count_ranked_pairs

SEED = 7  # of the cohort: not that of params.yaml, so that no default was chosen on it
LABELLED = 20  # patients
LAMBDA = 0.01
