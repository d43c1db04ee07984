from __future__ import annotations

import copy
from typing import Any

import torch

from napari_clip_heatmap.clip.weights import fingerprint


def test_it_depends_on_every_weight_and_on_nothing_else(tiny_clip: Any) -> None:
    same = copy.deepcopy(tiny_clip)
    assert fingerprint(same) == fingerprint(tiny_clip)
    for name in ("visual.proj", "token_embedding.weight", "logit_scale"):
        other = copy.deepcopy(tiny_clip)
        with torch.no_grad():
            other.get_parameter(name).view(-1)[-1] += 1e-3
        assert fingerprint(other) != fingerprint(tiny_clip)
    assert fingerprint(same.bfloat16()) != fingerprint(tiny_clip)
