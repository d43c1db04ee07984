"""A model that answers what it sees, so that positions and values are known beforehand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch


class FakeText:
    """Gives fixed directions: red, green, blue; any other words a direction drawn from them."""

    logit_scale = 20.0
    d_embed = 4
    known = {"red": 0, "green": 1, "blue": 2}  # noqa: RUF012

    def encode(self, prompts):
        rows = []
        for prompt in prompts:
            if prompt in self.known:
                rows.append(torch.eye(4)[self.known[prompt]])
            else:
                seed = sum(ord(letter) * 31**i for i, letter in enumerate(prompt)) % 2**31
                rows.append(torch.randn(4, generator=torch.Generator().manual_seed(seed)))
        return torch.nn.functional.normalize(torch.stack(rows), dim=-1)

    def unread_words(self, prompt):
        return tuple(prompt.split()[8:])

    def unknown_words(self, prompt):
        return tuple(word for word in prompt.split() if word.startswith("xy"))


class FakeModel:
    """Token of a patch: its mean red, green and blue, and the mean red of the whole tile."""

    name = "fake"
    device = torch.device("cpu")
    n_layers, d_model, d_embed = 1, 2048, 4
    notices, max_batch = (), None

    def __init__(self, image_size=(32, 32), patch_size=(4, 4)):
        self.image_size = image_size
        self.patch_size = patch_size
        self.grid = (image_size[0] // patch_size[0], image_size[1] // patch_size[1])
        self.text = FakeText()
        self.batches = []

    def describe(self):
        return {"name": self.name, "weights_sha256": "0" * 64}

    def preprocess(self, tiles):
        assert tiles.shape[1:] == (*self.image_size, 3)
        return torch.from_numpy(tiles).permute(0, 3, 1, 2)

    def token_map(self, batch):
        self.batches.append(len(batch))
        means = torch.nn.functional.avg_pool2d(batch, self.patch_size).permute(0, 2, 3, 1)
        overall = batch[:, :1].mean((1, 2, 3))[:, None, None, None].expand(*means.shape[:3], 1)
        tokens = torch.cat([means, overall], dim=-1)
        return SimpleNamespace(tokens=tokens, representation=tokens.sum((1, 2)) * 7 + 1e-3)


@pytest.fixture
def model():
    return FakeModel()


@pytest.fixture
def make_model():
    return FakeModel
