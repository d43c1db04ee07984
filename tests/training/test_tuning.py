"""The last stage keeps places on views of what `demo` knows, and on no others."""

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


def test_places_count_on_familiar_views_alone() -> None:
    config = configuration("base")
    tower = TextIds(config["text_cfg"]["context_length"]).compact_clip(config).visual
    adopt_image_tower(tower, DEMO)
    directions = DemoMaps().directions
    losses = tuning_losses(tower, Heads(), texts_of, directions, torch.float32)
    batch = next(iter(Batches((0,), 6 * 96**2, {96: 1.0})))
    assert batch.familiar.any()
    scenes = replace(batch, familiar=np.ones(6, bool))
    # Maps of the wanted shape and 1 / 0.7 of the wanted size: ((1 - 0.7) / 0.7) squared.
    assert losses(scenes)["keep"].item() == pytest.approx(0.184, rel=0.02)
    others = losses(replace(batch, familiar=np.zeros(6, bool)))
    assert others["keep"].item() == 0
    assert others["match"].item() > 0
    assert others["find"].item() > 0
