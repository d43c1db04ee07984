"""Drawn micrographs with true masks: the bundled model is trained, tested and shown with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SceneError
from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.canvas import blank, blob_outline, fill_shape
from napari_clip_heatmap.scenes.layout import scatter, territories
from napari_clip_heatmap.scenes.optics import absorb, expose, fluoresce, tissue
from napari_clip_heatmap.scenes.smear import draw_smear
from napari_clip_heatmap.scenes.structures import SPACING, STRUCTURES, Structure, draw_cell_bodies
from napari_clip_heatmap.scenes.vocabulary import BLOOD_CLASSES, CELL_CLASSES, CLASSES, COLORS

__all__ = ["Modality", "Scene", "draw"]

Modality = Literal["fluorescence", "brightfield", "smear"]

_STAINED_OFTEN = (5.0, 1.0, 0.6, 2.0, 0.6, 1.0)
"""Relative frequency of each of `CELL_CLASSES` in brightfield scenes."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawn micrograph and what it shows.

    Attributes
    ----------
    image : ndarray (y, x, 3) uint8
        The picture.
    masks : mapping of str to ndarray (y, x) bool
        The pixels of each class that was drawn. Used to write captions and to score heatmaps;
        the network never sees them.
    modality : {"fluorescence", "brightfield", "smear"}
        Kind of picture.
    colors : mapping of str to str
        Color word of each class, where it has one.
    """

    image: NDArray[np.uint8]
    masks: Mapping[str, NDArray[np.bool_]]
    modality: Modality
    colors: Mapping[str, str] = field(default_factory=dict)


def draw(
    seed: int,
    size: tuple[int, int] = (256, 256),
    *,
    classes: Sequence[str] | None = None,
    modality: Modality | None = None,
    zoom: float | None = None,
) -> Scene:
    """Draw one scene; the same arguments give the same picture.

    Parameters
    ----------
    seed : int
        Everything that is not given is drawn at random from it.
    size : (int, int)
        Height and width in pixels, at least 16 each.
    classes : sequence of str, optional
        What to show, out of `CLASSES`; by default none to four of them.
    modality : {"fluorescence", "brightfield", "smear"}, optional
        Kind of picture.
    zoom : float, optional
        Scale of the objects; at 1 a nucleus is about 28 pixels wide.

    Raises
    ------
    SceneError
        A class or modality is unknown, they cannot be combined, or the size is too small.
    """
    _check(size, classes, modality)
    rng = np.random.default_rng(seed)
    kind = modality or _draw_modality(rng, classes)
    shown = _draw_classes(rng, kind) if classes is None else tuple(dict.fromkeys(classes))
    if kind == "smear":
        return _smear(rng, size, shown, zoom or _draw_zoom(rng, -0.45, 1.2))
    # Nuclei are drawn at many scales; other structures show their shape only at large scales.
    low, high = (-0.9, 0.8) if set(shown) <= {"nuclei"} else (-0.45, 0.5)
    return _cells(rng, size, shown, kind, zoom or _draw_zoom(rng, low, high))


def _check(size: tuple[int, int], classes: Sequence[str] | None, modality: Modality | None) -> None:
    if min(size) < 16:
        msg = f"A scene of {size[0]} x {size[1]} pixels was asked for; it needs 16 x 16 at least."
        raise SceneError(msg)
    if modality is not None and modality not in get_args(Modality):
        msg = f"Unknown modality {modality!r}; there are {', '.join(get_args(Modality))}."
        raise SceneError(msg)
    unknown = set(classes or ()) - set(CLASSES)
    if unknown:
        msg = f"No scene can show {sorted(unknown)}; there are {', '.join(CLASSES)}."
        raise SceneError(msg)
    blood = set(classes or ()) & set(BLOOD_CLASSES)
    others = set(classes or ()) & set(CELL_CLASSES)
    if (blood and (others or modality not in (None, "smear"))) or (others and modality == "smear"):
        msg = (
            f"{', '.join(classes or ())} do not go together in one {modality or 'scene'}: a smear "
            f"shows {', '.join(BLOOD_CLASSES)}, every other scene {', '.join(CELL_CLASSES)}."
        )
        raise SceneError(msg)


def _draw_zoom(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(low, high)))


def _draw_modality(rng: np.random.Generator, classes: Sequence[str] | None) -> Modality:
    if classes:
        if classes[0] in BLOOD_CLASSES:
            return "smear"
        return "fluorescence" if rng.random() < 0.65 else "brightfield"
    kinds: tuple[Modality, ...] = ("fluorescence", "brightfield", "smear")
    return kinds[rng.choice(3, p=[0.45, 0.29, 0.26])]


def _draw_classes(rng: np.random.Generator, kind: Modality) -> tuple[str, ...]:
    """Choose what is shown; stained tissue shows nuclei more often than anything else."""
    if kind == "smear":
        chosen = rng.random(3) < ((0.88, 0.6, 0.65) if rng.random() < 0.7 else (0.5, 0.3, 0.3))
        return tuple(np.array(BLOOD_CLASSES)[chosen])
    n_classes = rng.choice(5, p=[0.05, 0.5, 0.25, 0.14, 0.06])
    weights = np.ones(len(CELL_CLASSES))
    if kind == "brightfield":
        weights[:] = _STAINED_OFTEN
    return tuple(
        rng.choice(CELL_CLASSES, n_classes, replace=False, p=weights / weights.sum()).tolist()
    )


def _structures(
    rng: np.random.Generator, size: tuple[int, int], shown: Sequence[str], zoom: float
) -> dict[str, Structure]:
    owner = territories(rng, size, shown)
    drawn = {}
    for number, name in enumerate(shown):
        scale = zoom * rng.lognormal(0, 0.15)
        spacing = SPACING[name] * scale * rng.uniform(0.85, 1.5)
        allowed = (owner == number) | (owner < 0)
        occupancy = rng.uniform(0.2, 0.95)
        centers = scatter(rng, size, spacing, occupancy=occupancy, allowed=allowed)
        structure = STRUCTURES[name](rng, size, scale, centers)
        if owner.max() >= 0:  # objects end at the border of their territory, softly
            fence = cv2.GaussianBlur(allowed.astype(np.float32), (0, 0), 2)
            structure = Structure(structure.signal * fence, structure.mask & (fence > 0.5))
        drawn[name] = structure
    return drawn


def _cells(
    rng: np.random.Generator,
    size: tuple[int, int],
    shown: tuple[str, ...],
    kind: Modality,
    zoom: float,
) -> Scene:
    drawn = _structures(rng, size, shown, zoom)
    signals = {name: structure.signal for name, structure in drawn.items()}
    masks = {name: structure.mask for name, structure in drawn.items()}
    if kind == "fluorescence":
        words = _channel_colors(rng, shown)
        picture = fluoresce(rng, size, signals, {name: COLORS[words[name]] for name in shown})
        if rng.random() < 0.12:
            picture, words = 1 - picture, dict.fromkeys(shown, "")
    else:
        words = {}
        picture = _brightfield(rng, size, signals, masks, zoom)
    picture = _debris(rng, picture, zoom)
    image = expose(rng, picture, sharpest=0.35)
    if words and set(words.values()) == {"white"}:
        words = {}
    named = {name: word for name, word in words.items() if word}
    return Scene(image, masks, kind, named)


def _channel_colors(rng: np.random.Generator, shown: Sequence[str]) -> dict[str, str]:
    """Give each class a color; in 40 % of the scenes all are one gray channel."""
    if rng.random() < 0.4:
        return dict.fromkeys(shown, "white")
    words = rng.choice(list(COLORS), len(shown), replace=False)
    chosen = {name: str(word) for name, word in zip(shown, words, strict=True)}
    if "nuclei" in chosen and rng.random() < 0.4:
        chosen = {name: ("cyan" if word == "blue" else word) for name, word in chosen.items()}
        chosen["nuclei"] = "blue"
    return chosen


def _brightfield(
    rng: np.random.Generator,
    size: tuple[int, int],
    signals: Mapping[str, NDArray[np.float32]],
    masks: Mapping[str, NDArray[np.bool_]],
    zoom: float,
) -> NDArray[np.float32]:
    """Stain every class on a bright ground, in color or gray, over tissue or bare glass."""
    is_gray = rng.random() < 0.35
    layers = dict(signals)
    tints: dict[str, tuple[float, float, float]] = {}
    hue = rng.uniform(0, 1, 3)
    for name in signals:
        tints[name] = _absorbance(rng, name, hue)
    if rng.random() < 0.7:
        layers["tissue"] = tissue(rng, size, zoom)
        tints["tissue"] = _scaled((0.15, 0.5, 0.2), rng.uniform(0.1, 0.9), rng, 0.08)
    if rng.random() < 0.5:
        spots = scatter(rng, size, 75 * zoom, occupancy=rng.uniform(0.2, 0.8))
        layers["bodies"] = draw_cell_bodies(rng, size, zoom, spots)
        tints["bodies"] = _scaled((0.4, 0.6, 0.4), rng.uniform(0.2, 1.0), rng, 0.15)
    if not layers:
        layers["glass"] = np.zeros(size, np.float32)
        tints["glass"] = (0.0, 0.0, 0.0)
    ground = tuple(np.clip(rng.uniform(0.78, 1.0) + rng.normal(0, 0.03, 3), 0, 1))
    picture = absorb(rng, layers, tints, ground)
    return picture.mean(-1, keepdims=True).repeat(3, -1) if is_gray else picture


def _scaled(
    tint: tuple[float, float, float], depth: float, rng: np.random.Generator, spread: float
) -> tuple[float, float, float]:
    r, g, b = np.clip(np.asarray(tint) + rng.normal(0, spread, 3), 0.02, None) * depth
    return float(r), float(g), float(b)


def _absorbance(
    rng: np.random.Generator, name: str, hue: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return the stain of a class; nuclei are mostly purple to blue, as haematoxylin makes them."""
    if name == "nuclei" and rng.random() < 0.75:
        return _scaled((0.75, 1.0, 0.35), rng.uniform(0.9, 2.6), rng, 0.12)
    if rng.random() < 0.5:
        return _scaled((0.75, 0.95, 0.5), rng.uniform(0.5, 2.0), rng, 0.2)
    return _scaled(tuple(hue), rng.uniform(0.6, 2.0), rng, 0.2)


def _debris(
    rng: np.random.Generator, picture: NDArray[np.float32], zoom: float
) -> NDArray[np.float32]:
    """Add out-of-focus blobs of no class to a third of the scenes."""
    if rng.random() > 0.35:
        return picture
    size = picture.shape[:2]
    canvas = blank(size)
    for x, y in scatter(rng, size, 110 * zoom, occupancy=0.5):
        fill_shape(
            canvas, blob_outline(rng, (x, y), rng.uniform(6, 25) * zoom), int(rng.integers(30, 120))
        )
    haze = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(5, 12) * zoom).astype(np.float32) / 255
    sign = -1 if picture.mean() > 0.5 else 1
    return np.asarray(picture + sign * rng.uniform(0.2, 0.8) * haze[..., None], np.float32)


def _smear(
    rng: np.random.Generator, size: tuple[int, int], shown: tuple[str, ...], zoom: float
) -> Scene:
    picture, masks = draw_smear(rng, size, zoom, shown)
    if rng.random() < 0.08:
        picture = picture.mean(-1, keepdims=True).repeat(3, -1)
    image = expose(rng, picture, sharpest=0.5 * zoom)
    return Scene(image, masks, "smear")
