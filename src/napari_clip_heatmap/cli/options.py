"""Options that several commands take, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_clip_heatmap.cli.completion import complete_devices, complete_models

__all__ = ["Data", "Device", "Json", "Model", "Precision", "Preprocess", "Quiet", "Scenes"]

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        autocompletion=complete_models,
        help="demo (bundled), ARCH/TAG of open_clip, hf-hub:ORG/NAME, local-dir:PATH, or "
        "ARCH/TAG@FILE for weights trained like a released model.",
    ),
]
Preprocess = Annotated[
    str | None,
    typer.Option(
        help="How to normalize colors for a model whose files do not say it: openai, imagenet, "
        "half, none, or mean and standard deviation as r,g,b/r,g,b.",
    ),
]
Device = Annotated[
    str,
    typer.Option(autocompletion=complete_devices, help="auto, cpu, cuda, cuda:1, mps ..."),
]
Precision = Annotated[
    str,
    typer.Option(help="auto, fp32, fp64, bf16, fp16; auto: half where that is fast and harmless."),
]
Data = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Folder of labeled real images, in addition to the drawn scenes.",
    ),
]
Scenes = Annotated[int, typer.Option(min=1, help="Drawn scenes, never trained on.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Write nothing but errors.")]
Json = Annotated[
    bool, typer.Option("--json", help="Write one JSON value for programs, and no sentences.")
]
