"""The picture of a witness set says what the arrangement says."""

import numpy as np
import pytest

from polyinj import Arrangement
from polyinj.plots.arrangement import plot_witness_set


def drawn_numbers(figure):
    """Values shown in the filled cells, and the numbers written into them."""
    left, right = figure.axes
    shown = [np.unique(axes.images[0].get_array().compressed()).tolist() for axes in (left, right)]
    return {*shown[0], *shown[1]}, {int(text.get_text()) for axes in (left, right) for text in axes.texts}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 6])
def test_filled_cells_are_those_with_few_positives(seed):
    rows = np.random.default_rng(seed).standard_normal((10, 3))
    counts = Arrangement(rows).face_counts(2)[3]
    shown, written = drawn_numbers(plot_witness_set(rows))
    assert shown == set(np.flatnonzero(counts).tolist())
    assert written <= shown


def test_an_injective_layer_has_nothing_filled():
    rows = np.random.default_rng(4).standard_normal((14, 3))
    assert Arrangement(rows).betti_numbers() == [0, 0, 0]
    assert drawn_numbers(plot_witness_set(rows)) == (set(), set())


def test_zero_rows_and_other_limits(tmp_path):
    rows = [[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    figure = plot_witness_set(rows, 1, axis=[1, 1, 1])
    assert drawn_numbers(figure) == ({0, 1}, {0, 1})
    figure.savefig(tmp_path / "sphere.png")


def test_rows_in_another_space_are_refused():
    with pytest.raises(ValueError, match=r"expected \(m, 3\)"):
        plot_witness_set(np.eye(4))
