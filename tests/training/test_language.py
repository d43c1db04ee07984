"""A short lesson already puts names of one class together, and stays near given directions."""

from __future__ import annotations

import torch
from torch.nn import functional as F
from training.export import MODEL_CONFIG, TextIds
from training.language import teach_language
from training.network import encode_texts


def directions(clip, ids, texts):
    with torch.no_grad():
        return F.normalize(encode_texts(clip, ids(texts)), dim=-1)


def test_names_of_a_class_come_together() -> None:
    torch.manual_seed(0)
    ids = TextIds(32)
    clip = ids.compact_clip(MODEL_CONFIG)
    pairs = ["axons", "nerve fibers", "cracks", "fissures", "yeast", "saccharomyces"]
    loss = teach_language(clip, ids, seed=0, n_steps=50)
    close = directions(clip, ids, pairs)
    similarity = close @ close.T
    for number in range(0, 6, 2):
        others = [place for place in range(6) if place // 2 != number // 2]
        assert similarity[number, number + 1] > similarity[number, others].max()
    assert loss < 4


def test_directions_stay_near_an_anchor() -> None:
    torch.manual_seed(0)
    ids = TextIds(32)
    clip = ids.compact_clip(MODEL_CONFIG)
    goal = F.normalize(torch.ones(128), dim=0)
    before = directions(clip, ids, ["nuclei"])[0] @ goal
    teach_language(clip, ids, 0, n_steps=12, anchor=lambda texts: goal.expand(len(texts), -1))
    assert directions(clip, ids, ["nuclei"])[0] @ goal > before + 0.2
    unknown = torch.full((128,), torch.nan)
    teach_language(clip, ids, 0, n_steps=2, anchor=lambda texts: unknown.expand(len(texts), -1))
    assert all(torch.isfinite(parameter).all() for parameter in clip.parameters())
