from __future__ import annotations

import copy
from typing import Any

import torch

from napari_clip_heatmap.clip.weights import hash_weights


def test_it_depends_on_every_weight_and_on_nothing_else(tiny_clip: Any) -> None:
    same = copy.deepcopy(tiny_clip)
    assert hash_weights(same) == hash_weights(tiny_clip)
    for name in ("visual.proj", "token_embedding.weight", "logit_scale"):
        other = copy.deepcopy(tiny_clip)
        with torch.no_grad():
            other.get_parameter(name).view(-1)[-1] += 1e-3
        assert hash_weights(other) != hash_weights(tiny_clip)
    assert hash_weights(same.bfloat16()) != hash_weights(tiny_clip)
