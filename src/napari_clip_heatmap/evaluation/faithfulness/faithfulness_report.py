"""What was measured of faithfulness, as tables and as numbers for a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.evaluation.faithfulness.paired import (
    PairedComparison,
    bootstrap_interval,
    compare,
)
from napari_clip_heatmap.evaluation.faithfulness.perturbation import FILLS

if TYPE_CHECKING:
    from napari_clip_heatmap.evaluation.faithfulness.additive import Effects

__all__ = ["FaithfulnessReport"]


@dataclass(frozen=True, eq=False)
class FaithfulnessReport:
    """Methods compared on the same stimuli; `str` gives the tables in Markdown.

    Parameters
    ----------
    model : mapping
        Where the model came from, in values that JSON has.
    methods : tuple of (str, str)
        Name and title; "exact" is the first.
    left_out : tuple of str
        Methods that this model's tower does not allow.
    insertion, deletion : float64 (method, fill, stimulus)
        Mean cosine while patches are put in, and while they are taken away.
    localization : float64 (method, stimulus)
        AUROC of the map against the mask; NaN where there is nothing to be measured.
    kinds : tuple of str
        Of each stimulus.
    effects : Effects
        Predicted against actual changes.
    seed : int
        Of the bootstrap.
    """

    model: Mapping[str, object]
    methods: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]
    insertion: NDArray[np.float64]
    deletion: NDArray[np.float64]
    localization: NDArray[np.float64]
    kinds: tuple[str, ...]
    effects: Effects
    seed: int

    @property
    def gain(self) -> NDArray[np.float64]:
        """Insertion minus deletion, the mean over fills, float64 (method, stimulus)."""
        gain: NDArray[np.float64] = (self.insertion - self.deletion).mean(axis=1)
        return gain

    def comparisons(self) -> dict[str, PairedComparison]:
        """Return each method against "exact", by insertion minus deletion."""
        gain = self.gain
        return {
            name: compare(gain[number], gain[0], self.seed)
            for number, (name, _) in enumerate(self.methods)
        }

    def __str__(self) -> str:
        """Return the tables."""
        return "\n".join(self._lines())

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``faithfulness.md`` and ``faithfulness.json`` into a folder, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        text, numbers = folder / "faithfulness.md", folder / "faithfulness.json"
        text.write_text(f"{self}\n", encoding="utf-8")
        numbers.write_text(json.dumps(self.record(), indent=1), encoding="utf-8")
        return text, numbers

    def record(self) -> dict[str, object]:
        """Return all figures in values that JSON has."""
        return {
            "model": dict(self.model),
            "n_stimuli": len(self.kinds),
            "kinds": dict(Counter(self.kinds)),
            "seed": self.seed,
            "left_out": list(self.left_out),
            "methods": {
                name: {
                    "title": title,
                    "insertion": dict(zip(FILLS, self._mean(self.insertion, number), strict=True)),
                    "deletion": dict(zip(FILLS, self._mean(self.deletion, number), strict=True)),
                    "localization_auroc": _known_mean(self.localization[number]),
                    **asdict(self.comparisons()[name]),
                }
                for number, (name, title) in enumerate(self.methods)
            },
            "additive": {
                test.title: {
                    "r": _or_none(test.correlation),
                    "slope": _or_none(test.slope),
                    "n": len(test.actual),
                }
                for test in self.effects.tests
            },
            "unattributed": float(np.median(self.effects.unattributed)),
        }

    def _mean(self, values: NDArray[np.float64], number: int) -> list[float]:
        means: list[float] = values[number].mean(axis=-1).tolist()
        return means

    def _lines(self) -> Iterator[str]:
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(self.kinds).items())
        yield f"# Faithfulness of the heatmaps of {self.model.get('name')}"
        yield f"\n{len(self.kinds)} tiles ({kinds}), each with one thing that is there."
        yield from self._method_lines()
        if self.left_out:
            yield f"\nNot possible with this model's tower: {', '.join(self.left_out)}."
        yield from self._effect_lines()

    def _method_lines(self) -> Iterator[str]:
        yield (
            "\nInsertion minus deletion, in cosine: patches are put in, and taken away, in the "
            "order of the map. Chance is 0. Differences are paired: exact minus the method.\n"
        )
        yield (
            "| map | insertion - deletion | 95 % | exact minus it | 95 % | p | exact is higher "
            "| AUROC against the mask |"
        )
        yield "|---" * 8 + "|"
        rows = self.comparisons()
        order = sorted(range(len(self.methods)), key=lambda n: -rows[self.methods[n][0]].mean)
        for number in order:
            name, title = self.methods[number]
            row = rows[name]
            yield (
                f"| {title} | {row.mean:.3f} | {_span(row.interval)} | {row.difference:+.3f} | "
                f"{_span(row.difference_interval)} | {row.p_value:.1g} | {row.wins:.0%} | "
                f"{_known_mean(self.localization[number]):.3f} |"
            )
        yield (
            "\n| map | "
            + " | ".join(f"{what}, {fill}" for fill in FILLS for what in ("insertion", "deletion"))
            + " |"
        )
        yield "|---" * (1 + 2 * len(FILLS)) + "|"
        for number in order:
            cells = [
                f"{values[number, fill].mean():.3f}"
                for fill in range(len(FILLS))
                for values in (self.insertion, self.deletion)
            ]
            yield f"| {self.methods[number][1]} | " + " | ".join(cells) + " |"

    def _effect_lines(self) -> Iterator[str]:
        yield (
            "\n## Do contributions predict what happens?\n\nPredicted: minus the sum of the "
            "contributions of the patches. Actual: the change of the cosine.\n"
        )
        yield "| what is done | r | actual for each unit predicted | changes |"
        yield "|---" * 4 + "|"
        for test in self.effects.tests:
            yield (
                f"| {test.title} | {test.correlation:.2f} | {test.slope:.2f} | {len(test.actual)} |"
            )
        low, high = bootstrap_interval(self.effects.unattributed, self.seed)
        yield (
            "\nOf the variance of a tile's relative scores over prompts, class token, MLPs and "
            f"input bring {self.effects.unattributed.mean():.0%} ({low:.0%} to {high:.0%}); no "
            "patch owns that part."
        )


def _span(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def _known_mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
