"""Threads that compute with balls do not change each other's precision."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flint import arb, ctx

from polyinj import enclose_threshold, gordon_bound, log_expected_euler_characteristic
from polyinj.exact.precision import precision


def test_a_precision_ends_with_its_block():
    before = ctx.prec
    with precision(200):
        assert ctx.prec == 200
        with precision(100):
            assert ctx.prec == 100
        assert ctx.prec == 200
    assert ctx.prec == before
    with pytest.raises(ZeroDivisionError), precision(300):
        _ = 1 // 0
    assert ctx.prec == before


def test_threads_take_turns():
    def digits(bits):
        with precision(bits):
            ball = arb(0)
            for k in range(1, 60):
                ball += 1 / arb(k).sqrt()
            return ball.str(200)

    wanted = [digits(bits) for bits in (64, 128, 256, 512)] * 50
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(digits, [64, 128, 256, 512] * 50)) == wanted


def test_theory_is_the_same_in_threads():
    def compute(k):
        return [
            lambda: enclose_threshold("euler").str(30),
            lambda: gordon_bound(200, 20),
            lambda: log_expected_euler_characteristic(500, 60),
        ][k % 3]()

    alone = [compute(k) for k in range(3)] * 8
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(compute, range(24))) == alone
