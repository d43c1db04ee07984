"""Draw the picture of docs/how-to-read-a-map.md: right and misleading maps side by side.

python docs/make_map_examples.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import napari_clip_heatmap as nch
from napari_clip_heatmap.scenes import draw

SIDE, GAP, HEAD = 216, 14, 78
SCENE, NOISE = "nuclei and filaments", "noise"
OUTPUT = Path(__file__).with_name("how-to-read-a-map.png")


@dataclass(frozen=True)
class Map:
    """The map of the first of some prompts on one of the pictures."""

    prompts: tuple[str, ...]
    score: nch.Score = "balanced"
    picture: str = SCENE

    @property
    def title(self) -> str:
        """What was asked, in two lines at most."""
        others = f"\nbeside {', '.join(self.prompts[1:])}" if self.prompts[1:] else ""
        return f"'{self.prompts[0]}', {self.score}{others}"


CASES = (
    ("What is there, and what is not", Map(("nuclei",)), Map(("platelets",))),
    ("A picture, and noise", Map(("nuclei",)), Map(("nuclei",), picture=NOISE)),
    (
        "Nonsense in the list",
        Map(("nuclei", "wug", "blicket")),
        Map(("nuclei", "wug", "blicket"), "relative"),
    ),
    (
        "Another name of the same",
        Map(("nuclei", "cell nuclei")),
        Map(("nuclei", "cell nuclei"), "relative"),
    ),
    (
        "Two prompts",
        Map(("platelets", "bacteria")),
        Map(("platelets", "bacteria"), "relative"),
    ),
    ("A negation", Map(("nuclei",)), Map(("no nuclei",))),
)
"""What differs, the map that can be read, and the one that misleads."""


def pictures() -> dict[str, np.ndarray]:
    """Return a scene with nuclei and filaments, and noise."""
    shape = (256, 256)
    scene = draw(11, shape, classes=("nuclei", "filaments"), modality="fluorescence")
    noise = np.random.default_rng(1).normal(128, 30, (*shape, 1)).clip(0, 255)
    return {SCENE: scene.image, NOISE: np.repeat(noise, 3, axis=2).astype(np.uint8)}


def main() -> None:
    """Write the picture."""
    model = nch.load_model("demo", device="cpu")
    encodings = {name: nch.encode(model, image) for name, image in pictures().items()}
    width, height = 3 * (SIDE + GAP) + GAP, SIDE + HEAD
    sheet = Image.new("RGB", (2 * width, -(-len(CASES) // 2) * height + GAP), "white")
    for number, (what, right, misleading) in enumerate(CASES):
        left, top = number % 2 * width + GAP, number // 2 * height
        image = Image.fromarray(pictures()[misleading.picture])
        paste(sheet, (left, top), image, what, misleading.picture)
        for column, shown in enumerate((right, misleading), start=1):
            maps = encodings[shown.picture].heatmaps(shown.prompts, shown.score)
            at = (left + column * (SIDE + GAP), top)
            sign = ("Right: ", "Misleading: ")[column - 1]
            title = sign + shown.title
            paste(sheet, at, Image.fromarray(maps.jet()[0]), title, told(maps.checks[0]))
    sheet.save(OUTPUT)


def told(check: nch.PromptVerdict) -> str:
    """Return the trust, and the answers that it follows from."""
    agreement = "" if check.agreement is None else f", agreement {check.agreement:.2f}"
    answers = f"text {check.text}, presence {check.presence}{agreement}"
    return f"trust {check.trust}\n{answers}"


def paste(sheet: Image.Image, at: tuple[int, int], image: Image.Image, *texts: str) -> None:
    """Put a picture with its title and what is told of it onto the sheet."""
    pen, (left, top) = ImageDraw.Draw(sheet), at
    pen.text((left, top + 8), texts[0], fill="black", font=ImageFont.load_default(size=13))
    pen.text((left, top + 44), texts[1], fill="dimgray", font=ImageFont.load_default(size=9))
    sheet.paste(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), (left, top + HEAD - 4))


if __name__ == "__main__":
    main()
