"""Random states of the process, for comparisons."""

import random

import numpy as np
import torch


def global_states():
    python, numpy = random.getstate(), np.random.get_state()
    return python, numpy[1].tolist(), numpy[2:], torch.get_rng_state().tolist()
