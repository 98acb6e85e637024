"""The data set data/gaussian_transition.csv: how many random Gaussian layers are injective, n = 2..18 and 20.

Shape (m, n) has the trials 0, 1, ... of seed 1, each decided exactly, none undecided. DESIGN says which m and how many:
they cover P(injective) from about 0.02 to 0.98.

Run: python examples/gaussian_transition.py [largest n, by default 8]
Trials are kept in results/gaussian_transition.db as they are done; running again continues, also with a larger n or
more trials. Writes results/gaussian_transition.csv. On one core n <= 8 takes some seconds, n <= 12 half a minute,
n <= 16 twenty minutes, all less than two hours.
"""

import sys
from pathlib import Path

from polyinj import GaussianEnsemble, Transition, __version__
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.statistics import decision
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
    20: (108, 144, 4, 40),
}
RESULTS = Path("results")


def shapes(largest_n):
    """(n, m, trials) of every shape."""
    for n, (first, last, step, trials) in DESIGN.items():
        if n <= largest_n:
            for m in range(first, last + 1, step):
                yield n, m, trials


def main():
    largest_n = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    RESULTS.mkdir(exist_ok=True)
    wanted = list(shapes(largest_n))
    jobs = [Job(GaussianEnsemble(m, n), decision, trials) for n, m, trials in wanted]
    done = simulate_jobs(jobs, seed=SEED, store=RESULTS / "gaussian_transition.db")
    rows = [Row.of_trials(n, m, run.columns, run.values) for (n, m, _), run in zip(wanted, done, strict=True)]
    result = Transition.of_rows(rows, SEED, __version__)
    print(result)
    print(f"wrote {result.save_counts(RESULTS / 'gaussian_transition.csv')}")


if __name__ == "__main__":
    main()
