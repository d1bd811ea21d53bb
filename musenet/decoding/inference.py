"""How the decoders in PyTorch run: without gradients, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Given = ParamSpec("Given")
Result = TypeVar("Result")


def inference(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """A function that runs in inference mode, on one thread.

    So few rows gain nothing from two threads, and how threads split the batch would decide how
    sums are rounded.
    """

    @wraps(function)
    def wrapped(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                return function(*args, **kwargs)
        finally:
            torch.set_num_threads(threads)

    return wrapped
