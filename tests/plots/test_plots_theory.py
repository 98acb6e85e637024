"""The figures of the theory draw what they are given."""

from io import BytesIO

import pytest

from polyinj.errors import InputError
from polyinj.plots.theory import plot_order_parameter, plot_threshold_ladder
from polyinj.theory.replica import EnergyCurves, energy_curves, replica_threshold
from polyinj.theory.thresholds import known_thresholds


def test_the_ladder_names_every_threshold():
    curves = EnergyCurves((3.0, 9.0), (0.1, 1.3), (0.1, 1.7), (0.1, 1.7), (0.0, 0.0))
    figure = plot_threshold_ladder(known_thresholds(), curves)
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert all(row.name in texts for row in known_thresholds())
    assert [line.get_label() for line in figure.axes[1].get_legend().get_lines()] == [
        "replica symmetric",
        "one step",
        "full symmetry breaking",
    ]
    figure.savefig(BytesIO())


@pytest.mark.slow
def test_the_order_parameter_is_drawn_for_each_solution():
    figure = plot_order_parameter([replica_threshold(1), replica_threshold(3)])
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["k = 1", "k = 3", "slope -1/2"]
    figure.savefig(BytesIO())


@pytest.mark.slow
def test_energy_curves():
    curves = energy_curves([2.5, 7.0], levels=4)
    assert curves.aspect_ratios == (2.5, 7.0)
    assert curves.symmetric[1] < curves.one_step[1] < curves.full[1] == pytest.approx(1.08681, abs=2e-5)
    assert max(curves.errors) < 1e-4
    with pytest.raises(InputError, match="aspect ratio is nan"):
        energy_curves([float("nan")])
