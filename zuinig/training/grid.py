"""Training weights that will be int8 again: the loss is that of the rounded ones, the steps go to what lies beneath.

The values that seven bits allow lie further apart than fine-tuning moves a weight. A weight that begins on one of them
would be rounded back to it, and nothing would have been learnt. So each begins somewhere, drawn at random, in the
interval that is rounded to its value: the model is the same at first, and of the weights that are pushed one way a
share flips that grows with the push (dither, Roberts 1962; gradients pass the rounding, Bengio et al. 2013; training
with the quantised weights in the loss, Jacob et al. 2018).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import parametrize

from zuinig.training.dequantise import weights


class _OnGrid(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, step: Any) -> None:
        super().__init__()
        self.register_buffer("step", step)

    def forward(self, beneath: Any) -> Any:
        rounded = (beneath / self.step).round() * self.step
        return beneath + (rounded - beneath).detach()

    def right_inverse(self, value: Any) -> Any:
        """Anywhere in the interval, but for its edges, where a rounding error would decide."""
        drawn = torch.rand(value.shape, generator=torch.Generator().manual_seed(1))
        return value + 0.98 * (drawn - 0.5) * self.step


def keep_to(module: Any, base: Path) -> None:
    """Every product's weight of the module keeps to the values that it can take in the model of that folder."""
    for name, step in weights(base / "model.onnx").steps.items():
        owner = module.get_submodule(name.removesuffix(".weight"))
        parametrize.register_parametrization(owner, "weight", _OnGrid(torch.from_numpy(step)))


def leave(module: Any) -> None:
    """Plain weights again, those that the loss saw."""
    for owner in list(_kept(module)):
        parametrize.remove_parametrizations(owner, "weight", leave_parametrized=True)


def _kept(module: Any) -> Iterator[Any]:
    return (m for m in module.modules() if parametrize.is_parametrized(m, "weight"))
