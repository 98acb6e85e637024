"""Layers a second of `propagate`, beside the plain loop that overflows, and torch where it is installed.

    python benchmarks/propagate.py --widths 256,1024,4096 --batch 64 --layers 40,12,3
    PEER_PYTHON=/path/to/python python benchmarks/propagate.py --widths 1024 --layers 12

All draw Gaussian weights of the same law, layer by layer, and send the same batch through: plain is
`x = np.maximum(x @ weights.T, 0)`. What `propagate` adds: lengths and angles as logarithms, with no observable
recorded ("carried") or all of them behind every layer ("recorded"). Goals: carried at most 1.5 times plain in float64
from width 1024 on, recorded at most twice; carried in torch's time in float32 at width 1024. Processor time of one
thread, turn by turn; torch runs under PEER_PYTHON (or --peer-python), a python that has it.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from polyinj import RandomNetwork, propagate


def plain(width: int, batch: int, layers: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, width)).astype(dtype)
    for _ in range(layers):
        weights = rng.standard_normal((width, width), dtype=np.dtype(dtype).type)
        weights *= weights.dtype.type(math.sqrt(2 / width))
        x = np.maximum(x @ weights.T, 0)


def carried(width: int, batch: int, layers: int, dtype: str) -> None:
    propagate(RandomNetwork(width, layers), batch=batch, networks=1, probes=0, layers=[0], seed=0, dtype=dtype)


def recorded(width: int, batch: int, layers: int, dtype: str) -> None:
    propagate(RandomNetwork(width, layers), batch=batch, networks=1, layers=range(layers + 1), seed=0, dtype=dtype)


class Torch:
    """A process of torch, asked for seconds."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(Path(__file__).with_name("propagate_peer.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def seconds(self, width: int, batch: int, layers: int, dtype: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{width} {batch} {layers} {dtype}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def timed(run: Callable[[int, int, int, str], None]) -> Callable[[int, int, int, str], float]:
    def seconds(width: int, batch: int, layers: int, dtype: str) -> float:
        begin = time.process_time()
        run(width, batch, layers, dtype)
        return time.process_time() - begin

    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="256,1024,4096")
    parser.add_argument("--layers", default="60,12,3", help="layers timed, one number a width")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--dtypes", default="float64,float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON"))
    options = parser.parse_args()
    peers = {"plain": timed(plain), "carried": timed(carried), "recorded": timed(recorded)}
    if options.peer_python:
        peers["torch"] = Torch(options.peer_python).seconds
    print("layers a second; in brackets the time a layer takes, over plain")
    with threadpool_limits(1):
        for dtype in options.dtypes.split(","):
            for width, layers in zip(options.widths.split(","), options.layers.split(","), strict=True):
                # Of one layer and of more: drawing the inputs is taken off.
                spent = {name: [math.inf, math.inf] for name in peers}
                for _ in range(options.rounds):
                    for name, seconds in peers.items():
                        for k, count in enumerate((1, int(layers) + 1)):
                            again = seconds(int(width), options.batch, count, dtype)
                            spent[name][k] = min(spent[name][k], again)
                rates = {name: int(layers) / (more - one) for name, (one, more) in spent.items()}
                cells = (f"{name} {r:8.2f} ({rates['plain'] / r:.2f})" for name, r in rates.items())
                print(f"width {width:>5} {dtype}: {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
