"""The data sets data/depths.csv and data/anneals.csv: ground state energies of random Gaussian layers.

Depths are exact, n = 2..14; anneals bound the energy from above, n = 50..1000. Both draw trials 0, 1, ... of shape
(m, n) from seed 1. DEPTHS and ANNEALS say how many.

Run: python examples/ground_energy.py [depths or anneals] [--workers 2]
Trials are kept in results/ as they are done; running again continues, also with more trials. Writes
results/depths.csv and results/anneals.csv with their figures. On one core depths take some minutes, anneals twenty.
"""

import argparse
from pathlib import Path

from polyinj import AnnealStudy, DepthStudy, estimate_anneals, estimate_depths

SEED = 1
RATIOS = (6, 6.5, 7, 8)
# n, aspect ratios, layers of each shape.
DEPTHS = [
    ((2, 4, 6, 8, 10), RATIOS, 400),
    ((12,), RATIOS, 60),
    ((14,), RATIOS[:3], 24),
]
SHORT = (316, 1000, 3162, 10000)
# n, lengths, layers of each shape: longer anneals on the first layers of those before.
ANNEALS = [
    (50, SHORT, 100),
    (100, SHORT, 40),
    (200, SHORT, 10),
    (500, SHORT[:3], 3),
    (1000, SHORT[:2], 2),
    (50, (31623, 100000), 5),
    (500, (10000,), 2),
]
RESULTS = Path("results")


def depths(options):
    runs = [estimate_depths(*design, seed=SEED, store=RESULTS / "depths.db", **options) for design in DEPTHS]
    return DepthStudy(tuple(row for run in runs for row in run.rows), SEED, runs[0].version)


def anneals(options):
    rows = []
    for n, lengths, layers in ANNEALS:
        # A store holds one list of lengths.
        store = RESULTS / f"anneals_{n}_{lengths[-1]}.db"
        rows += estimate_anneals([n], RATIOS, lengths, layers, seed=SEED, store=store, **options).rows
    return AnnealStudy.of_rows(rows, SEED)


STUDIES = {"depths": depths, "anneals": anneals}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=STUDIES, help="by default both")
    parser.add_argument("--workers", type=int, help="processes; by default one a core")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for name in [options.what] if options.what else STUDIES:
        study = STUDIES[name]({"workers": options.workers})
        print(study)
        study.save(RESULTS)


if __name__ == "__main__":
    main()
