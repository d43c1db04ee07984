"""The last stage learns places of drawn views, and keeps those of `demo` on real smears."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from training.configurations import configuration
from training.demo_maps import DemoMaps
from training.export import TextIds
from training.objective import Heads
from training.start import adopt_image_tower
from training.tuning import tuning_losses
from training.views import Batch, Batches

DEMO = Path(str(files("napari_clip_heatmap") / "demo"))


def texts_of(batch: Batch) -> Tensor:
    torch.manual_seed(0)
    return F.normalize(torch.randn(len(batch.captions), 128), dim=-1)


def test_the_maps_of_demo_are_kept_on_real_smears_alone() -> None:
    config = configuration("base")
    tower = TextIds(config["text_cfg"]["context_length"]).compact_clip(config).visual
    adopt_image_tower(tower, DEMO)
    directions = DemoMaps().directions
    losses = tuning_losses(tower, Heads(), texts_of, directions, torch.float32)
    batch = next(iter(Batches((0,), 6 * 96**2, {96: 1.0}, n_rows=12)))
    assert not batch.real_smears.any()
    smears = replace(batch, real_smears=np.ones(6, bool))
    # Maps of the wanted shape and 1 / 0.7 of the wanted size: ((1 - 0.7) / 0.7) squared.
    assert losses(smears)["keep"].item() == pytest.approx(0.184, rel=0.02)
    others = losses(batch)
    assert others.pop("keep").item() == 0
    assert all(loss.item() > 0 for loss in others.values())
    assert list(others) == ["match", "find", "place", "apart"]
