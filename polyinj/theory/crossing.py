"""Where the expected Euler characteristic crosses one: the finite-size version of the Euler threshold."""

from __future__ import annotations

from math import ceil

from polyinj.theory.domain import read_count
from polyinj.theory.euler import log_expected_euler_characteristic


def unit_crossing(n: int) -> float:
    """The aspect ratio m/n where E chi falls below 1 for the last time.

    ln |E chi| is interpolated linearly between the integers m around the crossing. E chi is negative or zero at some
    small m and crosses 1 several times; beyond the first-moment threshold it only falls.

    Examples
    --------
    >>> round(unit_crossing(10), 4)
    6.721
    """
    n = read_count(n, "n")
    m = ceil(9.1 * n)
    before = log_expected_euler_characteristic(m + 1, n)
    while (now := log_expected_euler_characteristic(m, n)) < (1, 0.0):
        m, before = m - 1, now
    return (m + now[1] / (now[1] - before[1])) / n
