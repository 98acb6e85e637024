"""Bounds and profiles of relaxations: microseconds, and what a grid sees of the jumps that a profile finds.

    python benchmarks/relaxation.py --boxes 256 --sizes 2,4,2 2,6,2 2,8,2 2,4,3
    PEER_PYTHON=/path/to/python python benchmarks/relaxation.py --only peers

First the bounds of many boxes at once on a network of --widths (float64, rounded outward), beside the same boxes one by
one and beside a loop over neurons in plain numpy that bounds no rounding (crown only; its bounds must agree). Then a
profile for each size n,width,depth along one random line, beside dense grids of float64 bounds: a step of the grid
counts as a jump where it is ten times as large as both of its neighbours.

Then, where PEER_PYTHON (or --peer-python) is a python with torch and auto_LiRPA, both on the same networks and boxes:
microseconds a box of one thread, user and system, turn by turn, the least of --rounds. Goals: 2 times faster for deepz,
3 times for crown, and faster on the convolutional network.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from polyinj import Network, NetworkLayer, bound_network, relaxation_profile
from polyinj.networks.convolution import output_shape, unroll_convolution
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
        values.append(float(bound_network(_unscaled(made), lower, upper, name).lower[0]))
    steps = np.abs(np.diff(values))
    large = [k for k in range(1, len(steps) - 1) if steps[k] > 10 * max(steps[k - 1], steps[k + 1]) and steps[k] > 1e-9]
    return [float(line[k] + line[k + 1]) / 2 for k in large]


@contextmanager
def peer(python: str, stored: dict[str, Any]) -> Iterator[Any]:
    """A process of auto_LiRPA on one network; called with a rule and a type it answers with times and bounds."""
    script = Path(__file__).with_name("relaxation_peer.py")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/network.npz", **stored)
        with subprocess.Popen(
            [python, "-W", "ignore", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{folder}/network.npz\n")

            def ask(rule: str, dtype: str) -> Any:
                process.stdin.write(f"{rule} {dtype}\n")
                process.stdin.flush()
                return json.loads(process.stdout.readline())

            yield ask
            process.stdin.close()


def dense_network(widths: list[int], rng: np.random.Generator) -> tuple[Network, dict[str, Any]]:
    """He-scaled Gaussian weights; the network, and what its peer is told."""
    layers, stored, kinds = [], {}, []
    for k, (n, m) in enumerate(pairwise(widths)):
        weights, bias = np.sqrt(2 / n) * rng.standard_normal((m, n)), 0.1 * rng.standard_normal(m)
        last = k == len(widths) - 2
        layers.append(NetworkLayer(weights, bias, None if last else "relu"))
        stored |= {f"w{len(kinds)}": weights, f"b{len(kinds)}": bias}
        kinds += [["Linear"]] if last else [["Linear"], ["ReLU"]]
    return Network(tuple(layers), "random"), {**stored, "layers": json.dumps(kinds)}


def convolutional_network(
    shape: tuple[int, ...], kernels: list[tuple[int, int, int, int]], outputs: int, rng: np.random.Generator
) -> tuple[Network, dict[str, Any]]:
    """Convolutions (channels, window, stride, padding) with ReLU, then a dense layer; and what the peer is told."""
    layers, stored, kinds = [], {}, []
    for channels, window, stride, padding in kernels:
        kernel = rng.standard_normal((channels, shape[0], window, window)) * np.sqrt(2 / (shape[0] * window**2))
        bias = 0.1 * rng.standard_normal(channels)
        options = {"stride": [stride] * 2, "padding": [(padding, padding)] * 2}
        matrix = unroll_convolution(kernel, shape, **options)
        shape = output_shape(kernel.shape, shape, **options, dilation=[1, 1], groups=1)
        layers.append(NetworkLayer(matrix, np.repeat(bias, shape[1] * shape[2]), "relu"))
        stored |= {f"w{len(kinds)}": kernel, f"b{len(kinds)}": bias}
        kinds += [["Conv2d", {"stride": stride, "padding": padding}], ["ReLU"]]
    kinds.append(["Flatten"])
    size = int(np.prod(shape))
    weights, bias = np.sqrt(2 / size) * rng.standard_normal((outputs, size)), 0.1 * rng.standard_normal(outputs)
    layers.append(NetworkLayer(weights, bias, None))
    stored |= {f"w{len(kinds)}": weights, f"b{len(kinds)}": bias}
    return Network(tuple(layers), "random"), {**stored, "layers": json.dumps([*kinds, ["Linear"]])}


def bench_peers(python: str, boxes: int, rounds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    network, stored = dense_network([784, 100, 100, 10], rng)
    compare_with_peer("784-100-100-10", network, stored, rng.uniform(size=(boxes, 784)), python, rounds)
    network, stored = convolutional_network((1, 28, 28), [(4, 4, 2, 1), (8, 4, 2, 1)], 10, rng)
    title = "1x28x28 - conv 4 (4x4, stride 2) - conv 8 (4x4, stride 2) - 10"
    compare_with_peer(title, network, stored, rng.uniform(size=(boxes, 1, 28, 28)), python, rounds)


def compare_with_peer(
    title: str, network: Network, stored: dict[str, Any], centre: Floats, python: str, rounds: int
) -> None:
    """The same bounds turn by turn; the peer takes boxes of the shape of `centre`."""
    boxes = len(centre)
    print(f"{boxes} boxes of radius 0.02, network {title}: microseconds a box, user + system")
    print("  relaxation     dtype      polyinj          auto_LiRPA       ratio   relative difference of widths")
    sides = {"lower": centre - 0.02, "upper": centre + 0.02}
    lower, upper = (side.reshape(boxes, -1) for side in sides.values())
    with threadpool_limits(1), peer(python, {**stored, **sides}) as ask:
        # Forward bounds take convolutions as dense matrices, here and there.
        for name in ("box", "deepz", "crown", *(["crown-forward"] if centre.ndim == 2 else [])):
            for dtype in ("float64", "float32"):
                ours, theirs = [], []
                for _ in range(rounds):
                    before = resource.getrusage(resource.RUSAGE_SELF)
                    found = bound_network(network, lower, upper, name, dtype=dtype)
                    after = resource.getrusage(resource.RUSAGE_SELF)
                    spent = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
                    ours.append([1e6 * part / boxes for part in spent])
                    answer = ask(name, dtype)
                    theirs.append(answer["times"])
                mine, other = (min(times, key=sum) for times in (ours, theirs))
                width = (found.upper - found.lower).mean(dtype=float)
                off = width / (np.array(answer["upper"]) - answer["lower"]).mean() - 1
                print(
                    f"  {name:13} {dtype}  {mine[0]:6.0f} + {mine[1]:5.0f}  {other[0]:7.0f} + {other[1]:6.0f} "
                    f"{sum(other) / sum(mine):8.2f}   {off:12.1e}",
                    flush=True,
                )


def _parts(network: Network) -> tuple[list[Floats], list[Floats]]:
    return [layer.weights for layer in network.layers], [
        np.zeros(len(layer.weights)) if layer.bias is None else layer.bias for layer in network.layers
    ]


def _unscaled(made: Classifier) -> Network:
    """As it is, no weight rounded."""
    last = len(made.weights) - 1
    pairs = zip(made.weights, made.biases, strict=True)
    return Network(
        tuple(NetworkLayer(w, b, None if k == last else "relu") for k, (w, b) in enumerate(pairs)), "on a line"
    )


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
    parser.add_argument("--only", choices=("bounds", "profiles", "peers"))
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON"))
    parser.add_argument("--peer-boxes", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    if options.only in (None, "bounds"):
        bench_bounds([int(part) for part in options.widths.split(",")], options.boxes, options.seed)
    if options.only in (None, "profiles"):
        points = [int(part) for part in options.points.split(",")]
        bench_profiles(options.sizes, options.relaxations.split(","), points, options.seed)
    if options.only in (None, "peers"):
        if options.peer_python:
            bench_peers(options.peer_python, options.peer_boxes, options.rounds, options.seed)
        else:
            print("no run beside auto_LiRPA: set PEER_PYTHON or --peer-python")


if __name__ == "__main__":
    main()
