"""The data set data/gaussian_transition.csv: how many random Gaussian layers are injective, n = 2..20.

Shape (m, n) has the trials 0, 1, ... of seed 1, each decided exactly, none undecided. DESIGN says which m and how many:
they cover P(injective) from about 0.02 to 0.98, but for n = 19 only up to 0.7.

Run: python examples/gaussian_transition.py [n ...] [--workers 2]
Without n: 2 to 8. Trials are kept in results/gaussian_transition.db as they are done; running again continues, also
with other n or more trials. Writes results/gaussian_transition.csv: the counts of these n, and those of all other
shapes as data/gaussian_transition.csv has them. On one core n <= 8 takes some seconds, n <= 12 half a minute,
n <= 16 twenty minutes, all less than three hours.
"""

import argparse
from pathlib import Path

from polyinj import GaussianEnsemble, Transition, __version__
from polyinj.simulation.estimate import Job
from polyinj.simulation.statistics import decision
from polyinj.studies.runner import run_study
from polyinj.studies.transition_row import Row

SEED = 1
# n: (first m, last m, step, trials of each shape).
DESIGN = {
    2: (4, 14, 1, 300),
    3: (7, 21, 1, 300),
    4: (12, 28, 1, 300),
    5: (17, 35, 2, 300),
    6: (23, 43, 2, 300),
    7: (28, 48, 2, 300),
    8: (34, 56, 2, 300),
    9: (40, 66, 2, 300),
    10: (46, 74, 2, 240),
    11: (52, 80, 2, 180),
    12: (58, 88, 2, 150),
    13: (64, 94, 2, 150),
    14: (70, 102, 2, 150),
    15: (76, 108, 2, 150),
    16: (82, 116, 2, 150),
    17: (88, 124, 2, 120),
    18: (94, 130, 2, 100),
    19: (104, 120, 4, 20),
    20: (108, 144, 4, 40),
    22: (128, 144, 4, 10),
}
DATA = Path(__file__).parent.parent / "data" / "gaussian_transition.csv"
RESULTS = Path("results")


def design(ns):
    """The job of every shape (n, m)."""
    return {
        (n, m): Job(GaussianEnsemble(m, n), decision, trials)
        for n in ns
        for first, last, step, trials in [DESIGN[n]]
        for m in range(first, last + 1, step)
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int, nargs="*", default=range(2, 9), help="inputs")
    parser.add_argument("--workers", type=int, help="processes; by default one a core")
    options = parser.parse_args()
    if unknown := set(options.n) - DESIGN.keys():
        parser.error(f"n is {min(unknown)}; allowed are {', '.join(map(str, DESIGN))}")
    RESULTS.mkdir(exist_ok=True)
    store = RESULTS / "gaussian_transition.db"
    _, done = run_study(design(options.n), seed=SEED, workers=options.workers, store=store)
    rows = [Row.of_trials(n, m, run.columns, run.values) for (n, m), run in done.items()]
    kept = [row for row in Transition.load(DATA).rows if (row.n, row.m) not in done]
    result = Transition.of_rows(rows + kept, SEED, __version__)
    print(result)
    print(f"wrote {result.save_counts(RESULTS / 'gaussian_transition.csv')}")


if __name__ == "__main__":
    main()
