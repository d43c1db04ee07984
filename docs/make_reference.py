"""Write the pages that follow from the code: the commands, and figures of the models.

``python -m docs.make_reference``; a test says when they are out of date.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

from napari_clip_heatmap import list_models
from napari_clip_heatmap.clip.catalog import CatalogEntry
from napari_clip_heatmap.files.model_listing import size_in_words, speed_in_words

REFERENCE = Path(__file__).parent / "reference"
RECOMMENDED = (
    "demo",
    "micrographs",
    "hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
    "hf-hub:wisdomik/QuiltNet-B-16",
    "hf-hub:wisdomik/QuiltNet-B-32",
    "hf-hub:flaviagiammarino/pubmed-clip-vit-base-patch32",
    "hf-hub:imageomics/bioclip",
    "hf-hub:imageomics/bioclip-2",
    "ViT-B-32/laion2b_s34b_b79k",
    "ViT-B-16/laion2b_s34b_b88k",
    "ViT-L-14/laion2b_s32b_b82k",
    "ViT-L-14/datacomp_xl_s13b_b90k",
    "ViT-B-16-SigLIP-i18n-256/webli",
    "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k",
)
"""The models that docs/models.md names."""


def shell_page() -> str:
    """Return the page of the commands, as Typer writes it from the program itself."""
    command = (sys.executable, "-m", "typer", "napari_clip_heatmap.cli", "utils", "docs")
    done = subprocess.run(
        [*command, "--name", "clip-heatmap"],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    text = html.unescape(done.stdout).replace("# `clip-heatmap`", "# Shell", 1)
    # Braces and angle brackets outside code would be read as Markdown's attributes and HTML.
    text = re.sub(
        r"^(\* `[^`]*`: )(.*)$", lambda line: line[1] + _escaped(line[2]), text, flags=re.M
    )
    return text.rstrip() + "\n"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("{}", "`{}`").replace("|", "\\|")


def model_figures() -> str:
    """Return the table of the recommended models."""
    known = {entry.name: entry for entry in list_models()}
    rows = [
        "| model | download | tile, patch in pixels | seconds per megapixel | licence |",
        "|---|---|---|---|---|",
        *(_row(known[name]) for name in RECOMMENDED),
    ]
    return "\n".join(rows) + "\n"


def _row(entry: CatalogEntry) -> str:
    cells = (
        f"`{entry.name}`",
        size_in_words(entry.download_bytes),
        f"{entry.image_size[0]}, {entry.patch_size[0]}",
        speed_in_words(entry.seconds_per_megapixel),
        entry.licence + (f" ({entry.forbids})" if entry.forbids else ""),
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write both."""
    REFERENCE.mkdir(exist_ok=True)
    (REFERENCE / "shell.md").write_text(shell_page(), encoding="utf-8")
    (REFERENCE / "model-figures.md").write_text(model_figures(), encoding="utf-8")


if __name__ == "__main__":
    main()
