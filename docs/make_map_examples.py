"""Draw the picture of docs/how-to-read-a-map.md: maps that mean something, and maps that do not.

python docs/make_map_examples.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import napari_clip_heatmap as nch
from napari_clip_heatmap.scenes import draw

SIDE, GAP, HEAD = 256, 12, 64
PROMPTS = ("nuclei", "platelets", "wug")
OUTPUT = Path(__file__).with_name("how-to-read-a-map.png")


def pictures() -> list[tuple[str, np.ndarray]]:
    """Return a scene with nuclei, and noise."""
    scene = draw(11, (SIDE, SIDE), classes=("nuclei", "filaments"), modality="fluorescence")
    noise = np.random.default_rng(1).normal(128, 30, (SIDE, SIDE, 1)).clip(0, 255)
    return [
        ("nuclei and filaments", scene.image),
        ("noise", np.repeat(noise, 3, axis=2).astype(np.uint8)),
    ]


def main() -> None:
    """Write the picture."""
    model = nch.load_model("demo", device="cpu")
    rows = pictures()
    width = (len(PROMPTS) + 1) * (SIDE + GAP) + GAP
    sheet = Image.new("RGB", (width, len(rows) * (SIDE + HEAD) + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    small = ImageFont.load_default(size=12)
    for row, (title, image) in enumerate(rows):
        maps = nch.encode(model, image).heatmaps(PROMPTS, "balanced")
        top = row * (SIDE + HEAD) + HEAD
        labels = [title, *(f"{each.prompt}: {each.trust}" for each in maps.checks)]
        details = [
            "",
            *(
                f"text {each.text}, presence {each.presence}, agreement {each.agreement or 0:.2f}"
                for each in maps.checks
            ),
        ]
        for column, picture in enumerate([image, *maps.jet()]):
            left = GAP + column * (SIDE + GAP)
            sheet.paste(Image.fromarray(np.asarray(picture)), (left, top))
            pen.text((left, top - 46), labels[column], fill="black", font=font)
            pen.text((left, top - 22), details[column], fill="gray", font=small)
    sheet.save(OUTPUT)


if __name__ == "__main__":
    main()
