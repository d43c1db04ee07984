"""The mean of two models: ``python -m training.average BEFORE AFTER --part 0.65 --output FOLDER``.

What training on drawn places adds is kept, and what it takes from real pictures comes back: between
the weights of a model and those it has after further training, maps of both kinds of picture are
better than halfway between their figures (Wortsman et al., "Robust fine-tuning of zero-shot
models", CVPR 2022).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

__all__ = ["average_models"]

_WEIGHTS = "open_clip_model.safetensors"
_SAME = ("open_clip_config.json", "vocabulary.txt")


def average_models(before: Path, after: Path, part: float, output: Path) -> None:
    """Write the mean of two models of one shape and one vocabulary.

    Parameters
    ----------
    before, after, output : Path
        Folders as `save_folder` writes them.
    part : float
        Of `after`, from 0 to 1.

    Raises
    ------
    ValueError
        The part is not from 0 to 1, or the models differ in more than the values of their weights.
    """
    if not 0 <= part <= 1:
        raise ValueError(f"The part is {part}; accepted: 0 (the first model) to 1 (the second).")
    for name in _SAME:
        if (before / name).read_bytes() != (after / name).read_bytes():
            raise ValueError(
                f"'{before}' and '{after}' have another {name}: train one from the other."
            )
    first, second = load_file(before / _WEIGHTS), load_file(after / _WEIGHTS)
    if {name: each.shape for name, each in first.items()} != {
        name: each.shape for name, each in second.items()
    }:
        raise ValueError(f"'{before}' and '{after}' have weights of other shapes.")
    output.mkdir(parents=True, exist_ok=True)
    mean = {name: _mean(each, second[name], part) for name, each in first.items()}
    save_file(mean, output / _WEIGHTS)
    for name in _SAME:
        shutil.copyfile(before / name, output / name)


def _mean(first: Tensor, second: Tensor, part: float) -> Tensor:
    wide = torch.lerp(first.double(), second.double(), part)
    return wide.to(first.dtype).contiguous()


def main() -> None:
    """Read the command line and write the mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="folder of a model")
    parser.add_argument("after", type=Path, help="folder of what further training made of it")
    parser.add_argument("--part", type=float, default=0.65, help="of the second")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    average_models(options.before, options.after, options.part, options.output)


if __name__ == "__main__":
    main()
