from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari import sample_data


@pytest.mark.parametrize("name", ["drawn_scene", "stained_tissue"])
def test_samples_are_colour_images_and_need_no_network(name, monkeypatch):
    import socket

    monkeypatch.setattr(socket, "socket", None)
    ((image, options, kind),) = getattr(sample_data, name)()
    assert kind == "image"
    assert image.dtype == np.uint8
    assert image.shape[-1] == 3
    assert min(image.shape[:2]) >= 512
    assert options["name"]
