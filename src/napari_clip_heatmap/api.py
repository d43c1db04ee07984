"""The one door to the library, for the viewer, the command line and notebooks alike.

torch and open_clip take seconds to import, so they wait for the first call that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from napari_clip_heatmap.clip.torch_import import explained
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.object_scores import score_objects

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from napari_clip_heatmap.clip.catalogue import CatalogueEntry
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.core.decomposition import Decomposition
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = [
    "decompose",
    "download_model",
    "encode",
    "list_models",
    "load_model",
    "open_encoding",
    "score_objects",
    "token_map",
]


def load_model(
    model: str | nn.Module,
    *,
    tokenizer: Any = None,
    device: str = "auto",
    precision: str = "auto",
    image_size: int | tuple[int, int] | None = None,
    outlier_factor: float | None = None,
    preprocess: str | Sequence[Sequence[float]] | None = None,
) -> ClipModel:
    """Load a CLIP model and prove on a probe image that its decomposition is exact.

    Parameters
    ----------
    model : str or nn.Module
        "demo" (bundled), "ARCH/TAG" of open_clip such as "ViT-B-16/laion2b_s34b_b88k",
        "hf-hub:org/name", "local-dir:PATH" (open_clip's or transformers' files), the path of a
        file of weights, "ARCH/TAG@PATH" for weights trained like, or from, a released model,
        "ARCH@PATH" with `preprocess`, or a ready open_clip model, which is never changed.
    tokenizer : callable, optional
        Texts to token numbers; by default the model's own.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps". "auto" leaves a ready model where it lies. A device
        that gives other answers than the CPU, or has no room, is not used: then the CPU is, and
        ``model.notices`` say why.
    precision : {"auto", "fp32", "fp64", "bf16", "fp16"}
        Of the image tower. "auto" leaves the bundled model, small ones and ready ones as they are;
        others run in half precision where the device is fast in it (GPUs; CPUs with AVX512-BF16 or
        AMX) and a probe's maps stay within 1e-2 of their range. "fp32" is exact to 1e-5.
    image_size : int or (int, int), optional
        Height and width that the model looks at in one pass, in whole patches; by default as it was
        trained. Position embeddings are interpolated, and the result is proven exact too.
    outlier_factor : float, optional
        Leave register-like tokens out of the maps: those whose norm before the last layer is over
        so many times the median of their image (3 is usual). Off by default.
    preprocess : str or (mean, std), optional
        What pixels are brought to, instead of what the model's own files say: "openai",
        "imagenet", "half", "none", "r,g,b/r,g,b", or mean and deviation of the three colours.

    Raises
    ------
    ModelLoadError
        The weights or the tokenizer cannot be found or read, it is not said what belongs to them,
        or PyTorch cannot be loaded; nothing in the files was executed.
    UnsupportedModelError
        No exact decomposition is known for the model's image tower.
    DecompositionError
        The parts of the probe's embedding do not sum to it, or the outlier factor is none.
    SettingsError
        The image size is no number of whole patches, or the preprocessing is none that is known.
    DeviceError
        The device is not there, or cannot be used.
    """
    with explained():
        from napari_clip_heatmap.clip.loading import load_model as load

    return load(
        model,
        tokenizer=tokenizer,
        device=device,
        precision=precision,
        image_size=image_size,
        outlier_factor=outlier_factor,
        preprocess=preprocess,
    )


def list_models(search: str = "") -> tuple[CatalogueEntry, ...]:
    """Return the models that can be decomposed, from open_clip's list and the Hugging Face hub.

    Parameters
    ----------
    search : str
        Words that must all be in an entry's name, family, training data, licence or note.

    Returns
    -------
    tuple of CatalogueEntry
        Frozen records: ``name`` (as `load_model` takes it), ``image_size`` and ``patch_size``
        (pixels), ``parameters``, ``data``, ``licence`` and what it ``forbids``, ``note``, ``needs``
        (a package), and whether it is ``here``, on this machine. No network is used.
    """
    from napari_clip_heatmap.clip.catalogue import list_models as listed

    return listed(search)


def download_model(
    name: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Bring a model's files to this machine, tokenizer included, so that it loads offline.

    A download that was cut or cancelled goes on where it ended, and every file is checked against
    the hash on record. HF_ENDPOINT, HF_HUB_OFFLINE, HF_HOME and proxies are honoured.

    Parameters
    ----------
    name : str
        "ARCH/TAG" of open_clip, or "hf-hub:ORG/NAME".
    progress : callable(bytes_here, bytes_in_all), optional
        Called at every piece of half a megabyte.
    cancelled : callable() -> bool, optional
        Asked at every piece.

    Returns
    -------
    Path
        The file of weights, or the folder of a model of the hub.

    Raises
    ------
    ModelLoadError
        There is no such model, or a file cannot be had: which, from where, why, and where to put
        it by hand.
    UnsupportedModelError
        Its image tower cannot be decomposed; told before weights are fetched.
    Cancelled
        `cancelled` said so; what has come is kept.
    """
    from napari_clip_heatmap.clip.prefetching import download_model as bring

    return bring(
        name,
        progress=progress or (lambda done, total: None),
        cancelled=cancelled or (lambda: False),
    )


def open_encoding(path: str | Path, *, model: str | ClipModel | None = None) -> Encoding:
    """Open what `Encoding.save` wrote; it answers prompts with no image tower and no GPU.

    Every byte is checked against what was written.

    Parameters
    ----------
    path : str or Path
    model : str or ClipModel, optional
        The model that encoded, where its name does not lead to it here: a ready one, or a folder
        that lies elsewhere. By default that of the recorded name, whose text tower is loaded, on
        the CPU, at the first prompt.

    Returns
    -------
    Encoding

    Raises
    ------
    EncodingFileError
        There is none, it is damaged, or of a newer version.
    ModelLoadError
        The model has other weights than the one that encoded, or cannot be found; where it was not
        given as a `ClipModel`, at the first prompt only.
    """
    from napari_clip_heatmap.pipeline.stored.opening import open_encoding as open_saved

    return open_saved(path, model=model)


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
