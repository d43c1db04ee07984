"""Draw the figures of docs/method.md: the decomposition of a real tile, and other methods on it.

The numbers are computed here, except those of the bars, which are read from the table in
docs/how-to-read-a-map.md. ``python docs/make_method_figures.py``
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.gridspec import GridSpecFromSubplotSpec
from numpy.typing import NDArray

import napari_clip_heatmap as nch
from napari_clip_heatmap.evaluation.faithfulness.map_methods import METHODS
from napari_clip_heatmap.files.sample_files import read_nuclei

DOCS = Path(__file__).parent
PROMPT = "nuclei"
CORNER = (215, 180)
"""Of the tile in the image, y and x."""

COMPARED = {
    "exact": "exact decomposition",
    "gradient x attention": "gradient x attention",
    "legrad": "LeGrad",
    "grad-cam": "Grad-CAM",
    "attention": "raw attention of the last layer",
}
"""Methods of the second figure, by their names in the program and in the table."""


def main() -> None:
    """Write both figures."""
    plt.switch_backend("agg")
    model = nch.load_model("demo", device="cpu")
    tile = cut_tile(model)
    draw_decomposition(model, tile).savefig(DOCS / "pictures" / "method.png", dpi=110)
    draw_comparison(model, tile).savefig(DOCS / "pictures" / "methods-compared.png", dpi=110)


def cut_tile(model: nch.ClipModel) -> NDArray[np.float32]:
    """Return a tile of the real nuclei as the model sees it, float32 (y, x, 3) in 0..1."""
    image = read_nuclei()
    (y, x), (height, width) = CORNER, model.image_size
    gray = image[y : y + height, x : x + width] / np.float32(image.max())
    return np.repeat(gray[..., None], 3, axis=2).astype(np.float32)


def draw_decomposition(model: nch.ClipModel, tile: NDArray[np.float32]) -> plt.Figure:
    """Draw tile, contributions of all heads, their sum, and how all parts sum to the cosine."""
    parts = nch.decompose(model, model.preprocess(tile[None]))
    direction = model.encode_text([PROMPT])[0]
    by_token = (parts.attention[0] @ direction).numpy()  # layer, token, head
    heads = by_token[:, 1:].transpose(0, 2, 1)  # layer, head, patch
    side = round(heads.shape[-1] ** 0.5)

    figure = plt.figure(figsize=(12, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 2.1, 1), height_ratios=(2.2, 1))
    show_tile(figure.add_subplot(grid[0, 0]), tile, side)
    inner = GridSpecFromSubplotSpec(*heads.shape[:2], grid[0, 1], wspace=0.06, hspace=0.06)
    limit = abs(heads).max()
    cells = [
        draw_map(figure.add_subplot(inner[layer, head]), heads[layer, head], side, limit)
        for layer in range(heads.shape[0])
        for head in range(heads.shape[1])
    ]
    name_heads(cells, heads.shape[1])
    total = heads.sum((0, 1))
    sum_of_heads = figure.add_subplot(grid[0, 2])
    draw_map(sum_of_heads, total, side, abs(total).max())
    sum_of_heads.set_title(f"3. Their sum: the map of '{PROMPT}'", fontsize=11)
    draw_sum(figure.add_subplot(grid[1, :]), by_token, (parts.mlp[0] @ direction).numpy())
    return figure


def show_tile(axis: Axes, tile: NDArray[np.float32], side: int) -> None:
    """Show the tile with its patches."""
    axis.imshow(tile)
    step = len(tile) / side
    for number in range(1, side):
        axis.axhline(number * step - 0.5, color="white", alpha=0.25, linewidth=0.6)
        axis.axvline(number * step - 0.5, color="white", alpha=0.25, linewidth=0.6)
    axis.set_title(f"1. A tile, {side} x {side} patches", fontsize=11)
    axis.set_axis_off()


def draw_map(axis: Axes, values: NDArray[np.floating], side: int, limit: float) -> Axes:
    """Show the values of the patches: red adds to the cosine, blue takes from it."""
    axis.imshow(values.reshape(side, side), cmap="RdBu_r", vmin=-limit, vmax=limit)
    axis.set_xticks([])
    axis.set_yticks([])
    return axis


def name_heads(cells: list[Axes], n_heads: int) -> None:
    """Write the names of layers and heads at the rim of their maps."""
    for number, cell in enumerate(cells):
        layer, head = divmod(number, n_heads)
        if head == 0:
            cell.set_ylabel(f"L{layer}", rotation=0, ha="right", va="center", fontsize=9)
        if layer == len(cells) // n_heads - 1:
            cell.set_xlabel(f"H{head}", fontsize=9)
    cells[n_heads // 2 - 1].set_title(
        "2. What each layer (L) and head (H) takes from each patch, times the text's direction",
        fontsize=11,
        loc="center",
        x=1.05,
    )


def draw_sum(axis: Axes, by_token: NDArray[np.floating], mlp: NDArray[np.floating]) -> None:
    """Draw how the parts add up to the cosine."""
    parts = {
        f"patches, {name}": float(values.sum())
        for name, values in zip(
            (f"L{layer}" for layer in range(len(by_token))), by_token[:, 1:], strict=True
        )
    }
    parts["class token"] = float(by_token[:, 0].sum())
    parts["input and MLPs"] = float(mlp.sum())
    reached = 0.0
    for number, (value, color) in enumerate(zip(parts.values(), colors(len(parts)), strict=True)):
        axis.bar(number, value, bottom=reached, color=color, width=0.7)
        top = max(reached, reached + value)
        axis.text(number, top, f"{value:+.3f}", ha="center", va="bottom", fontsize=9)
        reached += value
        axis.plot([number - 0.35, number + 1.35], [reached] * 2, color="gray", linewidth=0.8)
    axis.bar(len(parts), reached, color="black", width=0.7)
    axis.text(len(parts), max(reached, 0), f"{reached:.3f}", ha="center", va="bottom", fontsize=9)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(range(len(parts) + 1), [*parts, "cosine"], fontsize=9)
    axis.margins(y=0.18)
    axis.set_title(
        "4. All parts sum to the cosine of image and text, also those that no patch owns (gray)",
        fontsize=11,
    )
    axis.spines[["top", "right"]].set_visible(False)


def colors(count: int) -> list[str]:
    """Return the colors of the bars: the patches', then those of the two others."""
    return ["tab:red"] * (count - 2) + ["darkgray", "darkgray"]


def draw_comparison(model: nch.ClipModel, tile: NDArray[np.float32]) -> plt.Figure:
    """Draw the maps of other methods on the same tile, and what was measured of each."""
    batch, direction = model.preprocess(tile[None]), model.encode_text([PROMPT])
    measured = read_table()
    figure = plt.figure(figsize=(12, 5), layout="constrained")
    pictures, bars = figure.subfigures(2, 1, height_ratios=(1.2, 1))
    axes = pictures.subplots(1, len(COMPARED) + 1)
    axes[0].imshow(tile)
    axes[0].set_title("tile", fontsize=10)
    for axis, (method, title) in zip(axes[1:], COMPARED.items(), strict=True):
        values = METHODS[method].explain(model, batch, direction)[0].detach().numpy()
        axis.imshow(values, cmap="jet")
        axis.set_title(title.replace(" of the last", "\nof the last"), fontsize=10)
    for axis in axes:
        axis.set_axis_off()
    left, right = bars.subplots(1, 2)
    draw_bars(left, measured, "insertion - deletion", 0)
    draw_bars(right, measured, "AUROC against the mask", 3, 0.5)
    return figure


def draw_bars(
    axis: Axes, measured: dict[str, list[float]], title: str, column: int, chance: float = 0
) -> None:
    """Draw one column of the table, with its interval where it has one."""
    names = list(COMPARED.values())[::-1]
    values = [measured[name][column] for name in names]
    error = None
    if column == 0:
        low, high = (np.array([measured[name][side] for name in names]) for side in (1, 2))
        error = np.abs(np.stack([values - low, high - values]))
    fill = ["tab:red" if name == COMPARED["exact"] else "darkgray" for name in names]
    axis.barh(names, np.array(values) - chance, left=chance, color=fill, xerr=error)
    axis.axvline(chance, color="black", linewidth=0.8)
    axis.set_title(f"{title}, 100 drawn tiles", fontsize=10)
    axis.tick_params(labelsize=9)
    axis.spines[["top", "right"]].set_visible(False)


def read_table() -> dict[str, list[float]]:
    """Return the rows of the measured table: gain, both ends of its interval, AUROC."""
    text = (DOCS / "how-to-read-a-map.md").read_text(encoding="utf-8")
    table = text.partition("| map | insertion - deletion |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split("|") for line in table.splitlines()[2:]]
    return {
        name.strip(" *"): [
            float(value) for cell in cells for value in re.findall(r"-?[\d.]+", cell)
        ]
        for name, *cells in rows
    }


if __name__ == "__main__":
    main()
