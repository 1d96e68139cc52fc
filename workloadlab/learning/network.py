"""A small neural network and its gradients: hidden layers of ReLUs, trained by Adam (Kingma 2015)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    Floats = np.ndarray[Any, np.dtype[np.float32]]

__all__ = ["Network"]

_FIRST, _SECOND, _LEAST = 0.9, 0.999, 1e-8
"""Adam's decay of the mean and of the square of gradients, and what keeps a step finite."""


class Network:
    """Weights by layer, (inputs + 1, cells): the last row is the bias.

    Args:
        sizes: of the input, the hidden layers and the output.
        seed: of the first weights, normal with variance 2 / inputs; those of the output are a tenth.
    """

    def __init__(self, sizes: Sequence[int], seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.layers: list[Floats] = []
        for inputs, cells in pairwise(sizes):
            weights = rng.normal(0, np.sqrt(2 / inputs), (inputs + 1, cells))
            weights[-1] = 0.0
            self.layers.append(weights.astype(np.float32))
        self.layers[-1] *= 0.1
        self._mean = [np.zeros_like(layer) for layer in self.layers]
        self._square = [np.zeros_like(layer) for layer in self.layers]
        self._steps = 0

    def copy_from(self, other: Network) -> None:
        """Take the weights of another network."""
        self.layers = [layer.copy() for layer in other.layers]

    def __call__(self, inputs: Floats) -> Floats:
        """Return the outputs, (rows, cells)."""
        return self._forward(inputs)[-1]

    def _forward(self, inputs: Floats) -> list[Floats]:
        values = [inputs]
        for number, layer in enumerate(self.layers):
            value = values[-1] @ layer[:-1] + layer[-1]
            values.append(value if number == len(self.layers) - 1 else np.maximum(value, 0))
        return values

    def gradients(self, inputs: Floats, slope_of: Any) -> list[Floats]:
        """Return the gradients by layer.

        Args:
            inputs: (rows, inputs).
            slope_of: maps the outputs to the derivative of the loss by each, of the same shape.
        """
        values = self._forward(inputs)
        slope = slope_of(values[-1]).astype(np.float32)
        found = []
        for number in range(len(self.layers) - 1, -1, -1):
            below = values[number]
            found.append(np.concatenate([below.T @ slope, slope.sum(0, keepdims=True)]))
            if number:
                slope = (slope @ self.layers[number][:-1].T) * (below > 0)
        return found[::-1]

    def descend(self, gradients: list[Floats], rate: float) -> None:
        """Take one step of Adam."""
        self._steps += 1
        for k, slope in enumerate(gradients):
            self._mean[k] += (1 - _FIRST) * (slope - self._mean[k])
            self._square[k] += (1 - _SECOND) * (slope**2 - self._square[k])
            step = self._mean[k] / (1 - _FIRST**self._steps)
            step /= np.sqrt(self._square[k] / (1 - _SECOND**self._steps)) + _LEAST
            self.layers[k] -= np.float32(rate) * step
