"""A slow, obvious reference of the relaxations: neuron by neuron, in Fractions, each rule as its paper states it."""

from fractions import Fraction
from itertools import count


def bounds(layers, lower, upper, rule, parameter=None, meets_box=False):
    """The lower and upper bounds of every layer: layers are (rows, biases, relu), all Fractions."""
    if rule == "box":
        return _box(layers, lower, upper)

    def met(found, k):
        """Bounds of layer k, within the interval image of those of layer k - 1 where that is asked for."""
        sides = (lower, upper)
        if k:
            relu = layers[k - 1][2]
            sides = tuple([max(v, 0) if relu else v for v in side] for side in found[k - 1])
        (low, high), *_ = _box([layers[k]], *sides)
        least, most = found[k]
        if meets_box:
            found[k] = (
                [max(a, b) for a, b in zip(least, low, strict=True)],
                [min(a, b) for a, b in zip(most, high, strict=True)],
            )
        return found[k]

    if rule in ("hbox", "deepz", "zonotope"):
        return _zonotope(layers, lower, upper, rule, parameter, met)
    if rule in ("symbolic", "crown-forward"):
        return _forward(layers, lower, upper, rule, met)
    hidden = _box(layers, lower, upper)[:-1] if rule == "crown-ibp" else []
    for k in range(len(hidden), len(layers)):
        rows, biases, _ = layers[k]
        low = [
            _back(layers, hidden, k, row, b, lower, upper, rule, parameter) for row, b in zip(rows, biases, strict=True)
        ]
        high = [
            -_back(layers, hidden, k, [-w for w in row], -b, lower, upper, rule, parameter)
            for row, b in zip(rows, biases, strict=True)
        ]
        hidden.append((low, high))
        met(hidden, k)
    return hidden


def output(layers, x):
    """f(x)."""
    for rows, biases, relu in layers:
        x = [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(rows, biases, strict=True)]
        x = [max(v, Fraction(0)) for v in x] if relu else x
    return x


def _box(layers, lower, upper):
    found = []
    for rows, biases, relu in layers:
        low, high = [], []
        for row, b in zip(rows, biases, strict=True):
            low.append(b + sum(w * (lower[j] if w > 0 else upper[j]) for j, w in enumerate(row)))
            high.append(b + sum(w * (upper[j] if w > 0 else lower[j]) for j, w in enumerate(row)))
        found.append((low, high))
        lower = [max(v, 0) for v in low] if relu else low
        upper = [max(v, 0) for v in high] if relu else high
    return found


def _zonotope(layers, lower, upper, rule, parameter, met):
    names = count()
    # A neuron: its centre, its error terms by name, and what the box part adds.
    state = [((a + b) / 2, {next(names): (b - a) / 2}, Fraction(0)) for a, b in zip(lower, upper, strict=True)]
    found = []
    for rows, biases, relu in layers:
        after = []
        for row, b in zip(rows, biases, strict=True):
            terms = {}
            for w, (_, errors, _) in zip(row, state, strict=True):
                for name, size in errors.items():
                    terms[name] = terms.get(name, 0) + w * size
            loose = sum(abs(w) * r for w, (_, _, r) in zip(row, state, strict=True))
            after.append((b + sum(w * c for w, (c, _, _) in zip(row, state, strict=True)), terms, loose))
        reach = [sum(map(abs, terms.values())) + loose for _, terms, loose in after]
        low = [c - r for (c, _, _), r in zip(after, reach, strict=True)]
        high = [c + r for (c, _, _), r in zip(after, reach, strict=True)]
        found.append((low, high))
        low, high = met(found, len(found) - 1)
        state = []
        for (c, terms, loose), least, most in zip(after, low, high, strict=True):
            if not relu or least >= 0:
                state.append((c, terms, loose))
            elif most <= 0:
                state.append((Fraction(0), {}, Fraction(0)))
            elif rule == "hbox":
                state.append((most / 2, {}, most / 2))
            else:
                slope = most / (most - least) if rule == "deepz" else parameter
                # ReLU(x) - slope x is convex: 0 at 0, largest at an end.
                top = max(-slope * least, most - slope * most)
                errors = {name: slope * size for name, size in terms.items()}
                state.append((slope * c + top / 2, {**errors, next(names): top / 2}, slope * loose))
    return found


def _lower_slope(rule, parameter, least, most):
    crown = 0 if most < -least else 1
    if rule == "fixed":
        return parameter
    if rule == "blend":
        return (1 - parameter) * crown + parameter * most / (most - least)
    if rule == "ramp":
        return min(max((1 + parameter * (most + least) / (most - least)) / 2, Fraction(0)), Fraction(1))
    return crown


def _back(layers, hidden, k, row, constant, lower, upper, rule, parameter):
    """The least value of row . h + constant that the rule allows, h the outputs of layer k - 1."""
    if k == 0:
        return constant + sum(w * (lower[j] if w > 0 else upper[j]) for j, w in enumerate(row))
    rows, biases, relu = layers[k - 1]
    below = [Fraction(0)] * len(rows[0])
    for w, matrix_row, b, least, most in zip(row, rows, biases, *hidden[k - 1], strict=True):
        slope, shift = Fraction(1), Fraction(0)
        if relu and most <= 0 and least < 0:
            slope = Fraction(0)
        elif relu and least < 0 and w > 0:
            slope = _lower_slope(rule, parameter, least, most)
        elif relu and least < 0:
            slope = most / (most - least)
            shift = -slope * least
        constant += w * (slope * b + shift)
        below = [a + w * slope * v for a, v in zip(below, matrix_row, strict=True)]
    return _back(layers, hidden, k - 1, below, constant, lower, upper, rule, parameter)


def _forward(layers, lower, upper, rule, met):
    n = len(lower)
    eye = [[Fraction(int(i == j)) for j in range(n + 1)] for i in range(n)]
    state = [(form, form) for form in eye]
    found = []
    for rows, biases, relu in layers:
        forms = []
        for row, b in zip(rows, biases, strict=True):
            low, high = [Fraction(0)] * n + [b], [Fraction(0)] * n + [b]
            for w, (a, c) in zip(row, state, strict=True):
                small, large = (a, c) if w > 0 else (c, a)
                low = [x + w * y for x, y in zip(low, small, strict=True)]
                high = [x + w * y for x, y in zip(high, large, strict=True)]
            forms.append((low, high))
        least = [_least(low, lower, upper) for low, _ in forms]
        most = [-_least([-v for v in high], lower, upper) for _, high in forms]
        found.append((least, most))
        least, most = met(found, len(found) - 1)
        state = []
        nothing = [Fraction(0)] * (n + 1)
        for (low, high), bottom, top in zip(forms, least, most, strict=True):
            if not relu or bottom >= 0:
                state.append((low, high))
            elif top <= 0:
                state.append((nothing, nothing))
            elif rule == "crown-forward":
                chord = top / (top - bottom)
                above = [chord * v for v in high]
                above[-1] -= chord * bottom
                state.append((nothing if top < -bottom else low, above))
            else:
                keep = _least(high, lower, upper) >= 0
                state.append((nothing, high if keep else [Fraction(0)] * n + [top]))
    return found


def _least(form, lower, upper):
    return form[-1] + sum(w * (lower[j] if w > 0 else upper[j]) for j, w in enumerate(form[:-1]))
