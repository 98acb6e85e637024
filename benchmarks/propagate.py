"""Layers a second of `propagate`, beside the plain loop that overflows, and torch on the CPU where it is installed.

    python benchmarks/propagate.py --widths 256,1024,4096 --batch 64 --layers 40,12,3

All draw the same Gaussian weights, layer by layer, and send the same batch through: plain is
`x = np.maximum(x @ weights.T, 0)`. What `propagate` adds: lengths and angles as logarithms, with no observable
recorded ("carried") or all of them behind every layer ("recorded"). Goals: carried at most 1.5 times plain from width
1024 on, recorded at most twice. One thread of BLAS, unless --threads says more.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from importlib.util import find_spec

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


def with_torch(width: int, batch: int, layers: int, dtype: str) -> None:
    import torch

    kind = getattr(torch, dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        x = torch.randn(batch, width, dtype=kind, generator=generator)
        for _ in range(layers):
            weights = torch.randn(width, width, dtype=kind, generator=generator) * math.sqrt(2 / width)
            x = torch.relu(x @ weights.T)


def carried(width: int, batch: int, layers: int, dtype: str) -> None:
    propagate(RandomNetwork(width, layers), batch=batch, networks=1, probes=0, layers=[0], seed=0, dtype=dtype)


def recorded(width: int, batch: int, layers: int, dtype: str) -> None:
    propagate(RandomNetwork(width, layers), batch=batch, networks=1, layers=range(layers + 1), seed=0, dtype=dtype)


def rate(run: Callable[[int, int, int, str], None], width: int, batch: int, layers: int, dtype: str) -> float:
    """Layers a second of CPU and wall time, the better of two runs by wall time; drawing the inputs is taken off."""
    best = math.inf
    for _ in range(2):
        start = time.perf_counter()
        run(width, batch, 1, dtype)
        middle = time.perf_counter()
        run(width, batch, layers + 1, dtype)
        best = min(best, time.perf_counter() - middle - (middle - start))
    return layers / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="256,1024,4096")
    parser.add_argument("--layers", default="60,12,3", help="layers timed, one number a width")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1, help="of BLAS; below width 1024 propagate takes one")
    parser.add_argument("--dtypes", default="float64,float32")
    options = parser.parse_args()
    peers: dict[str, Callable[[int, int, int, str], None]] = {"plain": plain, "carried": carried, "recorded": recorded}
    if find_spec("torch"):
        import torch

        torch.set_num_threads(options.threads)
        peers["torch"] = with_torch
    print("layers a second; in brackets the time a layer takes, over plain")
    with threadpool_limits(options.threads):
        for dtype in options.dtypes.split(","):
            for width, layers in zip(options.widths.split(","), options.layers.split(","), strict=True):
                rates = {name: rate(run, int(width), options.batch, int(layers), dtype) for name, run in peers.items()}
                cells = (f"{name} {r:8.2f} ({rates['plain'] / r:.2f})" for name, r in rates.items())
                print(f"width {width:>5} {dtype}: {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
