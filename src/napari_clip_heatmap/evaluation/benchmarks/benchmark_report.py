"""The figures of a public benchmark, one row a setting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BenchmarkReport"]


@dataclass(frozen=True)
class BenchmarkReport:
    """What was measured; `str` gives the table in Markdown.

    Parameters
    ----------
    title : str
    model : mapping
        Where the model came from, in values that JSON has.
    n_images : int
    rows : mapping of str to mapping of str to float
        Setting to figures, each from 0 to 1.
    published : mapping of str to mapping of str to float
        The same figures of others, for comparison.
    notes : tuple of str
        How it was measured.
    """

    title: str
    model: Mapping[str, object]
    n_images: int
    rows: Mapping[str, Mapping[str, float]]
    published: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """Return the table."""
        return "\n".join(self._lines())

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the table and its numbers into a folder, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = self.title.lower().replace(" ", "_")
        text, numbers = folder / f"{stem}.md", folder / f"{stem}.json"
        text.write_text(f"{self}\n", encoding="utf-8")
        record = {
            "title": self.title,
            "model": dict(self.model),
            "n_images": self.n_images,
            "rows": {name: dict(row) for name, row in self.rows.items()},
            "notes": list(self.notes),
        }
        numbers.write_text(json.dumps(record, indent=1), encoding="utf-8")
        return text, numbers

    def _lines(self) -> Iterator[str]:
        columns = list(next(iter(self.rows.values())))
        yield f"# {self.title}: {self.model.get('name')}, {self.n_images} images\n"
        yield f"| setting | {' | '.join(columns)} |"
        yield "|---" * (1 + len(columns)) + "|"
        for name, row in [*self.rows.items(), *self.published.items()]:
            cells = (f"{100 * row[each]:.2f}" if each in row else "-" for each in columns)
            yield f"| {name} | {' | '.join(cells)} |"
        for note in self.notes:
            yield f"\n{note}"
