"""One thread for torch: many small operations on few cores are slower with more, and figures repeat."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("torch") is not None:
    import torch

    torch.set_num_threads(1)
