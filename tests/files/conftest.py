"""Shared by tests of files: a heatmap layer's metadata, without a viewer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_clip_heatmap as nch

PROMPTS = ["nuclei", "filaments - background", "debris"]


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], np.ndarray]:
    """Metadata as the dock widget writes them for a TIFF, and the layer's values."""
    path = tmp_path_factory.mktemp("layer") / "cells.tif"
    pixels = np.random.default_rng(0).integers(0, 4000, (96, 110), dtype=np.uint16)
    # A viewer shows stored values, whatever the file says that they mean.
    tifffile.imwrite(path, pixels, photometric="miniswhite")
    model = nch.load_model("demo", device="cpu")
    encoding = nch.encode(model, nch.Channel((pixels,), limits=(100, 3000), gamma=0.7))
    maps = encoding.heatmaps(PROMPTS)
    tiling = dict(encoding.describe())
    description: Any = tiling.pop("model")
    metadata = {
        "prompt": "nuclei",
        "prompts": PROMPTS,
        "score": "relative",
        "baseline": [],
        "templates": ["{}"],
        "model": description,
        "versions": description["versions"],
        "tiling": tiling,
        "channels": ["cells"],
        "origins": [
            {
                "layer": "cells",
                "path": str(path),
                "sample": None,
                "shape": [96, 110],
                "dtype": "uint16",
                "levels": [],
                "colormap": None,
                "limits": [100.0, 3000.0],
                "gamma": 0.7,
            }
        ],
        "source": "cells",
        "slices": [[]],
        "similarity": float(maps.similarity[0]),
        "unowned": float(maps.unowned[0]),
        "created": "2026-01-01",
        "version": nch.__version__,
    }
    return json.loads(json.dumps(metadata)), maps.values[0]
