"""Random ONNX graphs of all that is read: the network computes what a runtime computes, and verdicts hold in it.

    POLYINJ_FUZZ_CASES=20000 POLYINJ_FUZZ_SEED=1000000 pytest tests/fuzz/test_graphs_fuzz.py

tries 20,000 others.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from networks.runtime import Runtime, make, save
from onnx import helper
from onnx.reference import ReferenceEvaluator

from fuzz import families
from polyinj import InputError, Verdict, bound_network, check_network, read_network

LARGEST = 400


class Drawing:
    """A graph under way: tensors by name with their shapes, of which every node may read any."""

    def __init__(self, rng):
        self.rng = rng
        self.nodes, self.stored = [], {}
        images = bool(rng.integers(2))
        self.inputs = {"x": self.input_shape(images)}
        if rng.integers(4) == 0:
            self.inputs["z"] = self.input_shape(images)
        self.shapes = dict(self.inputs)

    def input_shape(self, images):
        rng = self.rng
        return (1, *map(int, rng.integers(1, 4, 3))) if images else (1, int(rng.integers(1, 6)))

    def values(self, *sizes, zero=True):
        found = (self.rng.integers(-4, 5, sizes) / 2).astype(np.float32)
        return found if zero else np.where(found == 0, np.float32(1), found)

    def store(self, value):
        name = f"c{len(self.stored)}"
        self.stored[name] = np.asarray(value)
        return name

    def integers(self, *values):
        return self.store(np.array(values, dtype=np.int64))

    def pick(self):
        """A tensor, the last ones more often."""
        names = list(self.shapes)
        names = [name for name in names if self.shapes[name]]
        return names[-1 - min(int(self.rng.geometric(0.5)) - 1, len(names) - 1)]

    def partner(self, shape):
        """Another tensor of this shape, or one of stored values."""
        same = [name for name, other in self.shapes.items() if other == shape]
        return str(self.rng.choice(same)) if same and self.rng.integers(4) else self.store(self.values(*shape))

    def add(self, kind, inputs, outputs=1, **attributes):
        """Append a node if it fits; its outputs get shapes from a trial on zeros."""
        made = [f"t{len(self.nodes)}_{k}" for k in range(outputs)]
        node = helper.make_node(kind, inputs, made, **attributes)
        feeds = {name: self.shapes[name] for name in dict.fromkeys(inputs) if name in self.shapes}
        stored = {name: self.stored[name] for name in inputs if name in self.stored}
        try:
            trial = make([node], stored, feeds, made)
            found = ReferenceEvaluator(trial).run(
                None, {name: np.zeros(shape, dtype=np.float32) for name, shape in feeds.items()}
            )
        except Exception:
            return  # shapes that do not fit
        if all(0 < out.size <= LARGEST and out.ndim < 6 for out in found):
            self.nodes.append(node)
            self.shapes |= {name: tuple(out.shape) for name, out in zip(made, found, strict=True)}

    def grow(self):
        rng, name = self.rng, self.pick()
        shape = self.shapes[name]
        getattr(self, str(rng.choice(STEPS)))(rng, name, shape)

    def entrywise(self, rng, name, shape):
        kind = str(rng.choice(["Relu", "Abs", "Neg", "LeakyRelu", "PRelu", "Clip", "Identity", "HardSigmoid"]))
        attributes = {"alpha": float(self.values())} if kind == "LeakyRelu" else {}
        inputs = [name]
        if kind == "PRelu":
            inputs.append(self.store(self.values(*(size if rng.integers(2) else 1 for size in shape[1:]))))
        elif kind == "Clip":
            low = float(self.values())
            sides = np.float32(low), np.float32(low + int(rng.integers(0, 4)) / 2)
            inputs += ["" if rng.integers(3) == 0 else self.store(side) for side in sides]
            while not inputs[-1]:
                inputs.pop()
        elif kind == "HardSigmoid":
            attributes = {"alpha": 0.5, "beta": float(self.values())}
        self.add(kind, inputs, **attributes)

    def two(self, rng, name, shape):
        inputs = [name, self.partner(shape)]
        if rng.integers(2):
            inputs.reverse()
        self.add(str(rng.choice(["Add", "Sub", "Max", "Min", "Sum", "Mean"])), inputs)

    def constants(self, rng, name, shape):
        sizes = tuple(size if rng.integers(2) else 1 for size in shape[int(rng.integers(len(shape))) :])
        kind = str(rng.choice(["Add", "Sub", "Mul", "Div"]))
        inputs = [name, self.store(self.values(*sizes, zero=False))]
        if kind != "Div" and rng.integers(2):
            inputs.reverse()
        self.add(kind, inputs)

    def matrices(self, rng, name, shape):
        rows = int(rng.integers(1, 5))
        if len(shape) == 2 and rng.integers(2):
            flip = int(rng.integers(2))
            inputs = [name, self.store(self.values(*((rows, shape[1]) if flip else (shape[1], rows))))]
            if rng.integers(2):
                inputs.append(self.store(self.values(rows)))
            self.add("Gemm", inputs, transB=flip, alpha=float(self.values()), beta=float(self.values()))
        elif len(shape) > 2 and rng.integers(3) == 0:
            self.add("MatMul", [self.store(self.values(rows, shape[-2])), name])
        else:
            self.add("MatMul", [name, self.store(self.values(shape[-1], rows))])

    def joins(self, rng, name, shape):
        axis = int(rng.integers(1, len(shape))) if len(shape) > 1 else 0
        others = [
            other
            for other, sizes in self.shapes.items()
            if len(sizes) == len(shape) and sizes[:axis] + sizes[axis + 1 :] == shape[:axis] + shape[axis + 1 :]
        ]
        parts = [name, *map(str, rng.choice(others, int(rng.integers(1, 3))))]
        if rng.integers(3) == 0:
            parts.append(self.store(self.values(*shape)))
        self.add("Concat", parts, axis=axis)

    def parts(self, rng, name, shape):
        axis = int(rng.integers(len(shape)))
        length = shape[axis]
        match int(rng.integers(4)):
            case 0:
                cut = int(rng.integers(1, max(length, 2)))
                self.add("Split", [name, self.integers(cut, length - cut)], 2, axis=axis)
            case 1:
                ends = [int(end) for end in rng.integers(-length - 1, length + 2, 2)]
                step = int(rng.choice([1, 2, -1]))
                self.add("Slice", [name, *(self.integers(value) for value in (*ends, axis, step))])
            case 2:
                chosen = rng.integers(-length, length, int(rng.integers(1, 4)))
                self.add("Gather", [name, self.store(chosen)], axis=axis)
            case _:
                self.add("Gather", [name, self.store(np.int64(rng.integers(length)))], axis=axis)

    def moves(self, rng, name, shape):
        match int(rng.integers(7)):
            case 0:
                self.add("Transpose", [name], perm=[int(axis) for axis in rng.permutation(len(shape))])
            case 1:
                size = int(np.prod(shape))
                first = int(rng.choice([d for d in range(1, size + 1) if size % d == 0]))
                self.add("Reshape", [name, self.integers(1, -1, first)])
            case 2:
                self.add("Flatten", [name], axis=int(rng.integers(len(shape) + 1)))
            case 3:
                self.add("Unsqueeze", [name, self.integers(int(rng.integers(len(shape) + 1)))])
            case 4:
                self.add("Squeeze", [name])
            case 5:
                self.add("Tile", [name, self.integers(*rng.integers(1, 3, len(shape)))])
            case _:
                pads = rng.integers(-1, 3, 2 * len(shape)) * np.tile(rng.integers(0, 2, len(shape)), 2)
                number = [] if rng.integers(2) else [self.store(self.values())]
                self.add("Pad", [name, self.integers(*pads), *number])

    def sums(self, rng, name, shape):
        kind = str(rng.choice(["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"]))
        axes = [int(axis) for axis in rng.choice(len(shape), int(rng.integers(1, len(shape) + 1)), replace=False)]
        keep = int(rng.integers(2))
        if kind == "ReduceSum":
            self.add(kind, [name, self.integers(*axes)], keepdims=keep)
        else:
            self.add(kind, [name], axes=axes, keepdims=keep)

    def windows(self, rng, name, shape):
        axes = len(shape) - 2
        if axes < 1 or shape[0] != 1:
            return
        window = [int(size) for size in rng.integers(1, 3, axes)]
        attributes = {"strides": [int(jump) for jump in rng.integers(1, 3, axes)]}
        pads = [int(side) for side in np.minimum(rng.integers(0, 2, 2 * axes), np.tile(window, 2) - 1)]
        match int(rng.integers(5)):
            case 0:
                kernel = self.store(self.values(2, shape[1], *window))
                self.add("Conv", [name, kernel, self.store(self.values(2))], pads=pads, **attributes)
            case 1:
                kernel = self.store(self.values(shape[1], 2, *window))
                self.add("ConvTranspose", [name, kernel], pads=pads, **attributes)
            case 2:
                self.add("MaxPool", [name], kernel_shape=window, pads=pads, **attributes)
            case 3:
                counted = int(rng.integers(2))
                self.add("AveragePool", [name], kernel_shape=window, pads=pads, count_include_pad=counted, **attributes)
            case _:
                self.add(str(rng.choice(["GlobalAveragePool", "GlobalMaxPool"])), [name])

    def images(self, rng, name, shape):
        if len(shape) != 4 or shape[0] != 1:
            return
        if rng.integers(2):
            scales = np.array([1, 1, *rng.integers(1, 3, 2)], dtype=np.float32)
            where = str(rng.choice(["asymmetric", "half_pixel"]))
            self.add("Resize", [name, "", self.store(scales)], mode="nearest", coordinate_transformation_mode=where)
            return
        inputs = [self.store(self.values(shape[1])) for _ in range(3)]
        inputs.append(self.store(np.abs(self.values(shape[1])) + np.float32(0.5)))
        self.add("BatchNormalization", [name, *inputs])


STEPS = ("entrywise", "entrywise", "two", "two", "constants", "matrices", "matrices", "joins", "parts", "moves")
REFUSED = ("has no layer", "does not depend", "does not fit into inputs")
STEPS += ("sums", "windows", "windows", "images")


def draw(seed):
    """A model, its nodes in order or not; None where nothing fitted."""
    rng = np.random.default_rng(seed)
    drawing = Drawing(rng)
    for _ in range(int(rng.integers(2, 12))):
        drawing.grow()
    if not drawing.nodes:
        return None
    made = [name for node in drawing.nodes for name in node.output]
    read = {name for node in drawing.nodes for name in node.input}
    ends = [name for name in made if name not in read]
    outputs = ends[: int(rng.integers(1, 4))]
    nodes = drawing.nodes if rng.integers(2) else [drawing.nodes[k] for k in rng.permutation(len(drawing.nodes))]
    used = {name: value for name, value in drawing.stored.items() if name in read}
    return make(nodes, used, drawing.inputs, outputs)


def sorted_model(model):
    """The same with its nodes in order, for onnx's own evaluator."""
    nodes = sorted(model.graph.node, key=lambda node: int(node.output[0][1:].split("_")[0]))
    ordered = type(model)()
    ordered.CopyFrom(model)
    del ordered.graph.node[:]
    ordered.graph.node.extend(nodes)
    return ordered


def runs(model):
    """Whether the runtime takes it: onnx's own evaluator, which was asked for the shapes, takes more."""
    try:
        return bool(Runtime(sorted_model(model)))
    except Exception:
        return False


@pytest.mark.slow
@families.in_parts(40, 40)
def test_what_is_read_is_what_a_runtime_computes(seeds, tmp_path):
    outcomes, verdicts = [], []
    for seed in seeds:
        model = draw(seed)
        if model is None:
            continue
        try:
            network = read_network(save(model, tmp_path / "m.onnx"))
        except InputError as error:
            outcomes.append(False)
            told = str(error)
            if len(told.splitlines()) == 1 and (any(reason in told for reason in REFUSED) or not runs(model)):
                continue
            raise
        outcomes.append(True)
        try:
            runtime = Runtime(sorted_model(model))
        except Exception:
            continue  # onnx's own evaluator, which was asked for the shapes, takes what the runtime does not
        assert runtime.inputs == network.widths[0], seed
        rng = np.random.default_rng(seed)
        for point in rng.integers(-8, 9, (3, network.widths[0])) / 4:
            found, expected = network.apply([point])[0], runtime(point)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg=str(seed))
            exact = network.apply_exactly([Fraction(entry) for entry in point.tolist()])
            np.testing.assert_allclose(found, [float(entry) for entry in exact], rtol=1e-9, atol=1e-9)
            if not any(array.dtype == object for array in arrays(network)):
                bounds = bound_network(network, point - 0.5, point + 0.5, "crown-ibp")
                assert (bounds.lower <= found + 1e-9).all(), seed
                assert (bounds.upper >= found - 1e-9).all(), seed
        if network.widths[0] < 5 and max(network.widths) < 40:
            check = check_network(network, time_limit=0.2)
            verdicts.append(check.verdict is Verdict.NOT_INJECTIVE)
            if check.collision is not None:
                replay(network, runtime, check.collision, seed)
    assert sum(outcomes) > 0.7 * len(outcomes)
    families.assert_both(verdicts)


def arrays(network):
    """Weights and biases."""
    return [array for layer in network.layers for array in (layer.weights, layer.bias) if array is not None]


def replay(network, runtime, pair, seed):
    """Two different inputs with one output, in rationals and, up to its rounding, in the runtime."""
    x, y = pair
    assert x != y, seed
    assert network.apply_exactly(x) == network.apply_exactly(y), seed
    first, second = (np.array([float(entry) for entry in point]) for point in pair)
    size = max(1.0, np.abs([first, second]).max())
    np.testing.assert_allclose(runtime(first), runtime(second), rtol=1e-3, atol=1e-3 * size, err_msg=str(seed))
