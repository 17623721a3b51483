"""Settings that every test shares."""

import torch

torch.set_num_threads(1)  # pytest runs one process a core: intra-op threads would only contend
