"""A small convolutional network that learns from captions where things are.

It sees little at a time and the same everywhere, so that a caption of a small picture is enough for
it to find what the caption speaks of. A vision transformer, whose every patch sees the whole
picture, learns that far more slowly; it is taught by this one, which is then thrown away.
"""

from __future__ import annotations

import torch
from einops import einsum
from torch import Tensor, nn
from torch.nn import functional as F

from training.network import fast_type

__all__ = ["STRIDE", "Teacher"]

STRIDE = 4
"""Pixels per cell of the features."""

_EDGES, _WIDTH, _DILATIONS = 64, 192, (1, 2, 1, 3, 2, 1, 2)


class _Convolution(nn.Module):
    """A convolution whose kernel is stored as a matrix, as the Muon optimizer takes it."""

    def __init__(self, n_in: int, n_out: int, size: int, *, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_out, n_in * size**2))
        nn.init.kaiming_uniform_(self.weight, 5**0.5)
        self.size, self.stride, self.dilation = size, stride, dilation

    def forward(self, stream: Tensor) -> Tensor:
        kernel = self.weight.view(len(self.weight), -1, self.size, self.size)
        padding = self.dilation * (self.size - 1) // 2
        return F.conv2d(stream, kernel, stride=self.stride, padding=padding, dilation=self.dilation)


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Convolution(width, width, 3, dilation=dilation),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _Convolution(width, width, 3),
            nn.BatchNorm2d(width),
        )
        nn.init.constant_(self.layers[-1].weight, 0.3)

    def forward(self, stream: Tensor) -> Tensor:
        return F.relu(stream + self.layers(stream))


class Teacher(nn.Module):
    """Pictures to evidence for captions, every `STRIDE` pixels.

    Parameters
    ----------
    d_embed : int
        Length of the text directions.
    """

    def __init__(self, d_embed: int) -> None:
        super().__init__()
        self.edges = _Convolution(3, _EDGES, 6, stride=2)
        self.brightness = nn.BatchNorm2d(_EDGES)
        self.shapes = nn.Sequential(
            _Convolution(2 * _EDGES, _WIDTH, 3, stride=2),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(),
            *(_Residual(_WIDTH, dilation) for dilation in _DILATIONS),
        )
        self.embed = nn.Conv2d(_WIDTH, d_embed, 1)
        self.scale = nn.Parameter(torch.tensor(2.0))  # of evidence, as a logarithm
        self.bias = nn.Parameter(torch.tensor(-3.0))

    @property
    def matrices(self) -> list[nn.Parameter]:
        """The kernels, but for the first, whose inputs are colors and not features."""
        return [p for p in self.shapes.parameters() if p.ndim == 2]

    def forward(self, images: Tensor, texts: Tensor) -> Tensor:
        """Return the evidence, as a logit, (view, caption, y / 4, x / 4).

        Parameters
        ----------
        images : Tensor (view, 3, y, x)
            Preprocessed pictures.
        texts : Tensor (caption, d_embed)
            Unit text directions.
        """
        half = fast_type(images.device) == torch.bfloat16
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            edges = self.edges(images.contiguous(memory_format=torch.channels_last))
            # Dim pictures show the same shapes: edges also relative to those around them.
            power = F.avg_pool2d((edges * edges).mean(1, keepdim=True), 5, 1, 2)
            relative = 1.5 * edges * (power + 1e-3).rsqrt()
            features = self.embed(
                self.shapes(F.relu(torch.cat([self.brightness(edges), relative], 1)))
            )
        found = einsum(features.float(), texts, "view d y x, caption d -> view caption y x")
        return self.scale.exp() * found + self.bias
