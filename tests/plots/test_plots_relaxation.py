"""The picture of relaxation profiles shows their jumps."""

import numpy as np

from polyinj import Network, NetworkLayer, plot_relaxation_profiles, relaxation_profile


def test_profiles_are_drawn_with_gaps_at_jumps():
    layers = [NetworkLayer([[1.0]], [bias], "relu") for bias in (-0.5, 0.5)]
    ends = [Network((layer, NetworkLayer([[1.0]], None, None)), "one neuron") for layer in layers]
    profile = relaxation_profile(*ends, [-0.25], [0.25], "crown")
    (axes,) = plot_relaxation_profiles([profile], exact=([0, 1], [0, 0.25])).axes
    curve = axes.lines[1].get_ydata()
    assert np.isnan(curve).sum() == 1
    assert axes.get_legend().get_texts()[1].get_text() == "crown (1 jump)"
    assert profile.plot().axes
