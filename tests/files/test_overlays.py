from __future__ import annotations

import numpy as np

from napari_clip_heatmap.files.overlays import CAPTION_HEIGHT, as_bytes, contact_sheet, overlay


def test_an_overlay_is_the_mean_of_image_and_colours() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    colours = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    shown = np.ones((5, 6), bool)
    shown[0] = False
    mixed = overlay(as_bytes((image / 255).astype(np.float32)), colours, shown)
    expected = (image.astype(int) + colours) // 2
    np.testing.assert_array_equal(mixed[1:], expected[1:])
    np.testing.assert_array_equal(mixed[0], image[0])


def test_a_sheet_holds_every_picture_in_order() -> None:
    pictures = [np.full((40, 50, 3), 10 * n, np.uint8) for n in range(5)]
    sheet = contact_sheet(pictures, ["nuclei", "細胞核", "🔬", "", "x" * 500], columns=3)
    assert sheet.shape == (2 * (40 + CAPTION_HEIGHT), 150, 3)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, 3)
        top = row * (40 + CAPTION_HEIGHT) + CAPTION_HEIGHT
        cell = sheet[top : top + 40, column * 50 : column * 50 + 50]
        np.testing.assert_array_equal(cell, picture)
    assert sheet[:CAPTION_HEIGHT, :50].min() < 128, "the caption is there"
    assert (sheet[-40:, 100:] == 255).all(), "the empty place is white"
