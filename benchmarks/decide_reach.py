"""What is in reach of `decide_injectivity`: time and memory over n and m / n, each decision in a process of its own.

    python benchmarks/decide_reach.py --inputs 12 16 18 20 --ratios 6 7 8 10 14 --seeds 3

Median processor time of one thread and largest memory of the process (the interpreter with its libraries takes 0.1 GB
of that), standard normal rows, counting, proof recorded. Goal: (24, 168) within a minute and 2 GB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from statistics import median

ONE = """
import json, resource, sys, time
import numpy as np
from polyinj import decide_injectivity
n, m, seed, limit = map(int, sys.argv[1:])
weights = np.random.default_rng(seed).standard_normal((m, n))
began = time.process_time()
decision = decide_injectivity(weights, rank_proof=False, time_limit=limit, memory_limit=1 << 33)
seconds = time.process_time() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([decision.verdict.value, decision.stats.nodes, seconds, memory]))
"""


def decided(n, m, seed, limit):
    """(verdict, nodes, processor seconds, GiB)."""
    command = [sys.executable, "-c", ONE, *map(str, (n, m, seed, limit))]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", nargs="+", type=int, default=[12, 16])
    parser.add_argument("--ratios", nargs="+", type=float, default=[6, 7, 8, 10, 14])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=600, help="seconds by the clock for a decision")
    options = parser.parse_args()
    print("| n | m / n | injective | median | most | nodes | memory |")
    print("|---|---|---|---|---|---|---|")
    for n in options.inputs:
        for ratio in options.ratios:
            found = [decided(n, round(ratio * n), seed, options.limit) for seed in range(options.seeds)]
            verdicts, nodes, seconds, memory = zip(*found, strict=True)
            shown = f"{verdicts.count('injective')} of {len(found)}"
            if "undecided" in verdicts:
                shown += f", {verdicts.count('undecided')} open"
            print(
                f"| {n} | {ratio:g} | {shown} | {median(seconds):.3g} s | {max(seconds):.3g} s | "
                f"{median(nodes):,.0f} | {max(memory):.2f} GB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
