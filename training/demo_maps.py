"""The maps of `demo`, which learned from drawn scenes alone: it knows best where things lie.

Real pictures say what they show, and not where. In blood smears the kinds of cell nearly always
stand side by side, so that captions of whole pictures cannot tell them apart. `demo` learned that
from captions of small drawn views, and its maps of the drawn classes are kept.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import torch
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional as F

import napari_clip_heatmap as nch
from napari_clip_heatmap.scenes import CLASSES
from training.configurations import configuration
from training.network import embed, fast_type
from training.start import adopt_image_tower

__all__ = ["DemoMaps", "has_grid_of_demo", "relative_maps"]


class DemoMaps(nn.Module):
    """Views to relative maps of the drawn classes.

    Parameters
    ----------
    folder : Path, optional
        Of the model; by default the bundled `demo`.
    """

    directions: Tensor

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        folder = folder or Path(str(files("napari_clip_heatmap") / "demo"))
        model = nch.load_model(f"local-dir:{folder}", device="cpu", precision="fp32")
        directions = F.normalize(model.encode_text(list(CLASSES)).float(), dim=-1)
        self.register_buffer("directions", directions.clone())
        config = configuration("base")
        text = {**config["text_cfg"], "vocab_size": 2}  # the text tower is thrown away
        self.tower = CLIP(**{**config, "text_cfg": text}).visual
        adopt_image_tower(self.tower, folder)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return contributions less their mean over the classes, (view, patch, class).

        As if each patch were the whole view.

        Parameters
        ----------
        pixels : Tensor (view, 3, y, x)
            Preprocessed.
        dtype : torch.dtype, optional
            Of the blocks; by default what is fast there.
        """
        found = embed(self.tower, pixels, dtype or fast_type(pixels.device))
        return relative_maps(found[1], self.directions)


def has_grid_of_demo(name: str) -> bool:
    """Return whether the shape of this name has the same views and patches as `demo`."""
    sizes = [configuration(each)["vision_cfg"] for each in (name, "base")]
    return len({(size["image_size"], size["patch_size"]) for size in sizes}) == 1


def relative_maps(token_map: Tensor, directions: Tensor) -> Tensor:
    """Return ``token_map @ directions.T`` less its mean over the directions, times the patches."""
    values = token_map.shape[1] * token_map @ directions.T
    return values - values.mean(-1, keepdim=True)
