"""The verdicts of a trial, as text and as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.evaluation.faithfulness.paired import bootstrap_rate
from napari_clip_heatmap.evaluation.meaning.asked_prompts import (
    ABSENT,
    FALSE_GROUPS,
    TRUE_GROUPS,
)
from napari_clip_heatmap.evaluation.verdict_trial import JudgedPrompt
from napari_clip_heatmap.pipeline.trust import Trust

__all__ = ["VerdictReport", "is_gibberish"]

_LEVELS = (Trust.NONE, Trust.DOUBTFUL, Trust.GOOD)


def is_gibberish(group: str) -> bool:
    """Return whether the prompts of a group mean nothing."""
    return group not in (*TRUE_GROUPS, *FALSE_GROUPS, ABSENT)


@dataclass(frozen=True)
class VerdictReport:
    """All verdicts and their figures; `str` gives the tables.

    Attributes
    ----------
    model : mapping
        The model's description, as JSON-able values.
    judged : tuple of JudgedPrompt
    seed : int
        Of the intervals.
    """

    model: dict[str, object]
    judged: tuple[JudgedPrompt, ...]
    seed: int = 0

    def __str__(self) -> str:
        """Return the report as Markdown."""
        return "\n".join(self._lines())

    def write(self, folder: Path) -> None:
        """Write ``honesty.md`` and ``honesty.json`` into ``folder``."""
        (folder / "honesty.md").write_text(f"{self}\n", encoding="utf-8")
        values = {"model": self.model, "judged": [asdict(each) for each in self.judged]}
        (folder / "honesty.json").write_text(json.dumps(values), encoding="utf-8")

    @property
    def missed(self) -> tuple[JudgedPrompt, ...]:
        """Gibberish that was not flagged."""
        return tuple(
            each
            for each in self.judged
            if is_gibberish(each.group) and each.trust is not Trust.NONE
        )

    @property
    def falsely_flagged(self) -> tuple[JudgedPrompt, ...]:
        """Prompts for what is present that were flagged."""
        return tuple(
            each for each in self.judged if each.group in TRUE_GROUPS and each.trust is Trust.NONE
        )

    @property
    def falsely_trusted(self) -> tuple[JudgedPrompt, ...]:
        """Prompts for what is absent, misspelled or negated that were trusted."""
        return tuple(
            each
            for each in self.judged
            if each.group in (ABSENT, *FALSE_GROUPS) and each.trust is Trust.GOOD
        )

    def _lines(self) -> Iterator[str]:
        yield f"# Verdicts of {self.model.get('name')}\n"
        yield (
            "Percent of prompts by trust, with the 95 % interval over images. Present things "
            "should not be flagged (none), all others not be trusted (good).\n"
        )
        yield "| prompts | image | judged | none | doubtful | good | interval of the error |"
        yield "|---" * 7 + "|"
        for group in dict.fromkeys(each.group for each in self.judged):
            for source in dict.fromkeys(each.source for each in self.judged):
                found = [e for e in self.judged if (e.group, e.source) == (group, source)]
                if found:
                    yield f"| {group} | {source} | {self._figures(found, group)} |"
        yield ""
        yield from self._worst_lines()
        yield from _named("Gibberish that was not flagged", self.missed)
        yield from _named("What is there, but was flagged", self.falsely_flagged)
        yield from _named("What is not there, but was trusted", self.falsely_trusted)

    def _figures(self, found: Sequence[JudgedPrompt], group: str) -> str:
        rates = (np.mean([each.trust is level for each in found]) for level in _LEVELS)
        owners = np.array([each.image for each in found])
        low, high = bootstrap_rate(_errors(found, group), owners, self.seed)
        return " | ".join(
            [
                str(len(found)),
                *(f"{100 * rate:.1f}" for rate in rates),
                f"{100 * low:.1f} to {100 * high:.1f}",
            ]
        )

    def _worst_lines(self) -> Iterator[str]:
        """Yield the mean error over kinds of image and the worst kind, for each group."""
        yield "| prompts | error | mean over kinds | worst kind |"
        yield "|---|---|---|---|"
        for group in dict.fromkeys(each.group for each in self.judged):
            sources = dict.fromkeys(each.source for each in self.judged if each.group == group)
            rates = {
                source: 100
                * float(
                    np.mean(
                        _errors(
                            [e for e in self.judged if (e.group, e.source) == (group, source)],
                            group,
                        )
                    )
                )
                for source in sources
            }
            worst = max(rates, key=lambda source: rates[source])
            what = "flagged" if group in TRUE_GROUPS else "trusted"
            mean = np.mean(list(rates.values()))
            yield f"| {group} | {what} | {mean:.1f} | {rates[worst]:.1f} ({worst}) |"
        yield ""


def _errors(found: Sequence[JudgedPrompt], group: str) -> NDArray[np.float64]:
    wrong = Trust.NONE if group in TRUE_GROUPS else Trust.GOOD
    return np.array([float(each.trust is wrong) for each in found])


def _named(what: str, found: Sequence[JudgedPrompt]) -> Iterator[str]:
    yield f"{what}: {len(found) or 'none'}."
    counts = dict.fromkeys(dict.fromkeys(each.prompt for each in found), 0)
    for each in found:
        counts[each.prompt] += 1
    often = sorted(counts, key=lambda prompt: -counts[prompt])
    for prompt in often[:12]:
        images = "1 image" if counts[prompt] == 1 else f"{counts[prompt]} images"
        yield f"- '{prompt}' on {images}"
    if len(often) > 12:
        yield f"- and {len(often) - 12} more prompts"
    yield ""
