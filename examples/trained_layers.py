"""Which first layers of trained classifiers lose information?

    python examples/trained_layers.py                  iris, wine, breast cancer, digits; results/digits_collision.png
    python examples/trained_layers.py iris             one data set
    python examples/trained_layers.py iris --save DIR  also write the layers to DIR/iris-4n.npz, DIR/iris-8n.npz

Trains scikit-learn's MLPClassifier (ReLU) on data sets that scikit-learn ships, with hidden widths 4n and 8n on n
inputs, standardised (digits: divided by 16, without the three pixels that are always 0), and decides whether the
trained first layer is injective.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision

SEED = 0
TIME_LIMIT = 20.0  # seconds a layer
DATA_SETS: dict[str, Callable[[], Any]] = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}


def inked_pixels() -> NDArray[np.bool_]:
    """Which of the 64 pixels are not 0 in every image."""
    return np.asarray(load_digits().data.any(axis=0))


def train_first_layer(name: str, expansion: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Weights (neurons, inputs), bias (neurons,) and training accuracy of a classifier with one hidden layer."""
    data = DATA_SETS[name]()
    # The weights of a pixel that is always 0 decay towards 0, and inputs that matter there are of size 1e15.
    inputs = data.data[:, inked_pixels()] / 16 if name == "digits" else StandardScaler().fit_transform(data.data)
    width = expansion * inputs.shape[1]
    network = MLPClassifier((width,), activation="relu", random_state=SEED, max_iter=400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(inputs, data.target)
    # scikit-learn stores one column a neuron.
    return network.coefs_[0].T.copy(), network.intercepts_[0], network.score(inputs, data.target)


def report(names: list[str], save: Path | None) -> list[tuple[str, Decision]]:
    """Train, decide and print one line a layer; returns the decisions."""
    table = Table(
        title=f"First layers of trained classifiers, random_state {SEED}", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for header in ("data", "inputs", "neurons", "accuracy", "verdict", "fewest active", "seconds"):
        table.add_column(header, justify="right", no_wrap=True)
    decisions = []
    for name in names:
        for expansion in (4, 8):
            weights, bias, accuracy = train_first_layer(name, expansion)
            if save is not None:
                save.mkdir(parents=True, exist_ok=True)
                np.savez(save / f"{name}-{expansion}n.npz", weights=weights, bias=bias)
            decision = decide_injectivity(weights, bias, time_limit=TIME_LIMIT)
            decisions.append((name, decision))
            m, n = weights.shape
            found = decision.best_witness.active if decision.best_witness else "-"
            verdict = decision.verdict.value + (" *" if decision.assumes_general_position else "")
            seconds = f"{decision.stats.seconds:.2f}"
            table.add_row(name, str(n), str(m), f"{accuracy:.3f}", verdict, str(found), seconds)
    console = Console()
    console.print(table)
    console.print("With bias, on all inputs. Fewest active: neurons active at the best point found.")
    console.print("* proven: at least as many neurons as inputs are active everywhere; injective in general position.")
    return decisions


def draw_digit_collision(decision: Decision, path: Path) -> None:
    """Two 8 x 8 images that the layer cannot tell apart, and their difference."""
    assert decision.certificate is not None
    layer = decision.layer
    pair = decision.certificate.as_float64(layer.weights, layer.bias)
    figure = Figure(figsize=(7.2, 2.7), layout="constrained")
    limit = float(max(abs(pair.x).max(), abs(pair.y).max()))
    for axes, image, title in zip(
        figure.subplots(1, 3), (pair.x, pair.y, pair.y - pair.x), ("x", "y", "y − x"), strict=True
    ):
        pixels = np.full(64, np.nan)
        pixels[inked_pixels()] = image
        shown = axes.imshow(pixels.reshape(8, 8), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(title)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(shown, ax=figure.axes, shrink=0.8, label="pixel value")
    m, n = layer.weights.shape
    figure.suptitle(
        f"Equal ReLU images under a digits layer ({m} neurons, {n} pixels): "
        f"|x − y| = {pair.distance:.2g}, images differ by {pair.image_difference:.1g}",
        fontsize=9,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)
    print(f"wrote {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", choices=[[], *DATA_SETS], help="data sets, by default all")
    parser.add_argument("--save", type=Path, help="write the layers to this folder")
    arguments = parser.parse_args()
    decisions = report(arguments.data or list(DATA_SETS), arguments.save)
    for name, decision in decisions:
        if name == "digits" and decision.certificate is not None:
            draw_digit_collision(decision, Path("results/digits_collision.png"))
            break


if __name__ == "__main__":
    main()
