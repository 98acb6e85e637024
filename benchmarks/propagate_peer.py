"""torch as it answers benchmarks/propagate.py, in an environment of its own: PEER_PYTHON propagate_peer.py.

Each line of stdin is a width, a batch, a number of layers and a type; the answer is one number: seconds of processor
time for drawing that many layers of Gaussian weights and sending the batch through.
"""

import math
import sys
import time

import torch


def run(width: int, batch: int, layers: int, dtype: str) -> None:
    kind = getattr(torch, dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        x = torch.randn(batch, width, dtype=kind, generator=generator)
        for _ in range(layers):
            weights = torch.randn(width, width, dtype=kind, generator=generator) * math.sqrt(2 / width)
            x = torch.relu(x @ weights.T)


def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        *sizes, dtype = line.split()
        begin = time.process_time()
        run(*map(int, sizes), dtype)
        print(time.process_time() - begin, flush=True)


if __name__ == "__main__":
    main()
