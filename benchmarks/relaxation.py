"""Bounds and profiles of relaxations: seconds, and what a grid sees of the jumps that a profile finds.

    python benchmarks/relaxation.py --boxes 256 --sizes 2,4,2 2,6,2 2,8,2 2,4,3

First the bounds of many boxes at once on a network of --widths (float64, rounded outward), beside the same boxes one by
one and beside a loop over neurons in plain numpy that bounds no rounding (crown only; its bounds must agree). Then a
profile for each size n,width,depth along one random line, beside dense grids of float64 bounds: a step of the grid
counts as a jump where it is ten times as large as both of its neighbours.

auto_LiRPA and bound-propagation both need torch, which the project does not install: no run beside them.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from polyinj import Network, bound_network, relaxation_profile
from polyinj.relaxation.classifiers import Classifier, ClassifierEnsemble, read_sample
from polyinj.relaxation.rules import STANDARD

Floats = NDArray[np.float64]


def classifiers(n: int, width: int, depth: int, seed: int) -> tuple[Network, Network]:
    ensemble = ClassifierEnsemble(n, width, depth)
    start, direction, _, _ = read_sample(ensemble.sample(np.random.default_rng(seed)), ensemble.widths)
    length = np.linalg.norm(start.flat()) / np.linalg.norm(direction)
    end = Classifier.of(start.flat() + length * direction, ensemble.widths)
    return start.network(), end.network()


def crown_by_neuron(network: Network, lower: Floats, upper: Floats) -> tuple[float, float]:
    """The bounds of output 0 by crown, one neuron at a time, without care for rounding."""
    layers = [
        (layer.weights, np.zeros(len(layer.weights)) if layer.bias is None else layer.bias) for layer in network.layers
    ]
    known: list[tuple[Floats, Floats]] = []

    def least(k: int, row: Floats, constant: float) -> float:
        for weights, bias in reversed(layers[:k]):
            k -= 1
            below = np.zeros(weights.shape[1])
            for w, line, shift, low, high in zip(row, weights, bias, *known[k], strict=True):
                slope, intercept = 1.0, 0.0
                if high <= 0:
                    slope = 0.0
                elif low < 0 and w > 0:
                    slope = 0.0 if high < -low else 1.0
                elif low < 0:
                    slope = high / (high - low)
                    intercept = -slope * low
                below += w * slope * line
                constant += w * (slope * shift + intercept)
            row = below
        return constant + float(np.maximum(row, 0) @ lower + np.minimum(row, 0) @ upper)

    for k, (weights, bias) in enumerate(layers):
        low = np.array([least(k, row, shift) for row, shift in zip(weights, bias, strict=True)])
        high = np.array([-least(k, -row, -shift) for row, shift in zip(weights, bias, strict=True)])
        known.append((low, high))
    return float(known[-1][0][0]), float(known[-1][1][0])


def bench_bounds(widths: list[int], boxes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = Classifier(
        [np.sqrt(2 / n) * rng.standard_normal((m, n)) for n, m in pairwise(widths)],
        [0.1 * rng.standard_normal(m) for m in widths[1:]],
    )
    network = start.network()
    centre = rng.standard_normal((boxes, widths[0]))
    lower, upper = centre - 0.02, centre + 0.02
    print(f"{boxes} boxes of radius 0.02, network {'-'.join(map(str, widths))}: microseconds a box")
    print("  relaxation   batched   one by one   loop over neurons   largest relative difference")
    for name in STANDARD:
        begin = time.process_time()
        together = bound_network(network, lower, upper, name)
        batched = time.process_time() - begin
        few = min(boxes, 16)
        begin = time.process_time()
        for k in range(few):
            bound_network(network, lower[k], upper[k], name)
        alone = (time.process_time() - begin) / few
        peer = "              -"
        if name == "crown":
            begin = time.process_time()
            loop = np.array([crown_by_neuron(network, lower[k], upper[k]) for k in range(few)])
            spent = (time.process_time() - begin) / few
            width = together.upper[:few, 0] - together.lower[:few, 0]
            off = max(abs(together.lower[:few, 0] - loop[:, 0]).max(), abs(together.upper[:few, 0] - loop[:, 1]).max())
            peer = f"{1e6 * spent:15.0f}   {off / width.min():25.1e}"
        print(f"  {name:10} {1e6 * batched / boxes:9.0f} {1e6 * alone:12.0f} {peer}", flush=True)


def grid_jumps(start: Network, end: Network, name: str, lower: Floats, upper: Floats, points: int) -> list[float]:
    """Middles of the steps of a grid that are ten times as large as both neighbours."""
    line = np.linspace(0, 1, points)
    first, last = Classifier(*_parts(start)).flat(), Classifier(*_parts(end)).flat()
    values = []
    for t in line:
        made = Classifier.of((1 - t) * first + t * last, start.widths)
        values.append(_unrounded(made, lower, upper, name))
    steps = np.abs(np.diff(values))
    large = [k for k in range(1, len(steps) - 1) if steps[k] > 10 * max(steps[k - 1], steps[k + 1]) and steps[k] > 1e-9]
    return [float(line[k] + line[k + 1]) / 2 for k in large]


def _parts(network: Network) -> tuple[list[Floats], list[Floats]]:
    return [layer.weights for layer in network.layers], [
        np.zeros(len(layer.weights)) if layer.bias is None else layer.bias for layer in network.layers
    ]


def _unrounded(made: Classifier, lower: Floats, upper: Floats, name: str) -> float:
    from polyinj.relaxation.layer_bounds import AffineLayer, Bounds, bound_layers
    from polyinj.relaxation.rules import Relaxation

    last = len(made.weights) - 1
    layers = [
        AffineLayer(w, b, np.full(w.shape[-2], k < last))
        for k, (w, b) in enumerate(zip(made.weights, made.biases, strict=True))
    ]
    return float(bound_layers(layers, Bounds(lower, upper), Relaxation.parse(name))[-1].lower[0])


def bench_profiles(sizes: list[str], names: list[str], points: list[int], seed: int) -> None:
    print("profiles of one line; a grid's column: jumps it finds / seconds")
    head = "".join(f"{f'grid of {count}':>18}" for count in points)
    print(f"  n width depth  relaxation   pieces  jumps  degree  seconds{head}")
    for size in sizes:
        n, width, depth = map(int, size.split(","))
        start, end = classifiers(n, width, depth, seed)
        lower, upper = np.full(n, 0.25), np.full(n, 0.75)
        for name in names:
            begin = time.process_time()
            profile = relaxation_profile(start, end, lower, upper, name)
            spent = time.process_time() - begin
            degree = max(max(p.numerator.degree(), p.denominator.degree()) for p in profile.pieces)
            columns = ""
            for count in points:
                begin = time.process_time()
                seen = grid_jumps(start, end, name, lower, upper, count)
                true = sum(any(abs(t - jump.position) <= 1 / count for t in seen) for jump in profile.jumps)
                columns += f"{f'{true} / {time.process_time() - begin:.2f} s':>18}"
            print(
                f"  {n} {width:5} {depth:5}  {name:10} {len(profile.pieces):8} {len(profile.jumps):6} {degree:7} "
                f"{spent:8.2f}{columns}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="16,64,64,64,1", help="of the network whose bounds are timed")
    parser.add_argument("--boxes", type=int, default=256)
    parser.add_argument("--sizes", nargs="+", default=["2,4,2", "2,6,2", "2,8,2", "2,4,3"], help="n,width,depth ...")
    parser.add_argument("--relaxations", default="box,hbox,deepz,crown,ramp:2")
    parser.add_argument("--points", default="100,1000", help="of the grids")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    bench_bounds([int(part) for part in options.widths.split(",")], options.boxes, options.seed)
    points = [int(part) for part in options.points.split(",")]
    bench_profiles(options.sizes, options.relaxations.split(","), points, options.seed)


if __name__ == "__main__":
    main()
