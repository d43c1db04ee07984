"""The one door to the library, for the viewer, the command line and notebooks alike.

torch and open_clip take seconds to import, so they wait for the first call that needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from napari_clip_heatmap.pipeline.encode import encode

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.core.decomposition import Decomposition

__all__ = ["decompose", "encode", "load_model", "token_map"]


def load_model(
    model: str | nn.Module,
    *,
    tokenizer: Any = None,
    device: str = "auto",
    precision: str = "auto",
    image_size: int | tuple[int, int] | None = None,
    outlier_factor: float | None = None,
) -> ClipModel:
    """Load a CLIP model and prove on a probe image that its decomposition is exact.

    Parameters
    ----------
    model : str or nn.Module
        "demo" (bundled), "ARCH/TAG" of open_clip such as "ViT-B-16/laion2b_s34b_b88k",
        "hf-hub:org/name", "local-dir:PATH", or a ready open_clip model, which is never changed.
    tokenizer : callable, optional
        Texts to token numbers; by default the model's own.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    precision : {"auto", "fp32", "fp64", "bf16", "fp16"}
        Of the weights; "auto" leaves them as they are.
    image_size : int or (int, int), optional
        Height and width that the model looks at in one pass, in whole patches; by default as it was
        trained. Position embeddings are interpolated, and the result is proven exact too.
    outlier_factor : float, optional
        Leave register-like tokens out of the maps: those whose norm before the last layer is over
        so many times the median of their image (3 is usual). Off by default.

    Raises
    ------
    ModelLoadError
        The weights or the tokenizer cannot be found or read.
    UnsupportedModelError
        No exact decomposition is known for the model's image tower.
    DecompositionError
        The parts of the probe's embedding do not sum to it, or the outlier factor is none.
    SettingsError
        The image size is no number of whole patches.
    DeviceError
        The device is not there, or cannot be used.
    """
    from napari_clip_heatmap.clip.loading import load_model as load

    return load(
        model,
        tokenizer=tokenizer,
        device=device,
        precision=precision,
        image_size=image_size,
        outlier_factor=outlier_factor,
    )


def decompose(
    model: ClipModel,
    batch: Tensor,
    *,
    layers: Sequence[int | str] | None = None,
    heads: Sequence[int | str] | None = None,
    convention: Literal["reference", "centred"] = "reference",
) -> Decomposition:
    """Split the unit image embedding into the shares of every layer, head and token.

    All shares sum to the unit image embedding; times a unit text direction, to the cosine
    similarity (arXiv 2310.05916).

    Parameters
    ----------
    model : ClipModel
    batch : float tensor (b, 3, h, w)
        Preprocessed images, as ``model.preprocess`` returns them.
    layers, heads : sequence of int or str, optional
        Only these, by number or label ("L22", "L22H5"); the rest is not built.
    convention : {"reference", "centred"}
        How what belongs to no token is split: as the authors' code does, or not over tokens.

    Returns
    -------
    Decomposition
        ``attention`` (batch, layer, token, head, d_embed), token 0 the class token; ``mlp``
        (batch, layer + 1, d_embed), the input first; ``unselected`` (batch, d_embed), what was not
        asked for; ``representation`` (batch, d_embed), un-normalised.

    Raises
    ------
    DecompositionError
        There is no such layer, head or convention.
    ImageError
        The batch does not fit the model.
    """
    return model.decompose(batch, layers=layers, heads=heads, convention=convention)


def token_map(model: ClipModel, batch: Tensor) -> Tensor:
    """Return each patch's share of the unit image embedding, at the cost of a forward pass.

    Parameters
    ----------
    model : ClipModel
    batch : float tensor (b, 3, h, w)
        Preprocessed images, as ``model.preprocess`` returns them.

    Returns
    -------
    float32 tensor (batch, grid_y, grid_x, d_embed)
        The sum of ``decompose(model, batch).attention`` over layers and heads, without the class
        token; double precision if the model's is.

    Raises
    ------
    ImageError
        The batch does not fit the model.
    """
    return model.token_map(batch).tokens
