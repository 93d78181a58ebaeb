"""The threads that torch computes in."""

from __future__ import annotations

import torch

from dgmix.workers import ThreadCount

TORCH = ThreadCount(torch.get_num_threads, torch.set_num_threads)
