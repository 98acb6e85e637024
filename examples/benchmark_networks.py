"""Networks of the shapes that public verification benchmarks have, made anew with random weights.

    python examples/benchmark_networks.py FOLDER          # writes them as .onnx
    polyinj check FOLDER/acasxu.onnx

Layers, kernels, strides and operators are those that the benchmarks of VNN-COMP (https://github.com/VNN-COMP) and
ARCH-COMP AINNCS describe, a few of them smaller, as their names say. Nothing is copied: weights are Gaussian, from the
seed below. Needs the package onnx: pip install 'polyinj[onnx]'.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 20260


class Model:
    """An ONNX model under way; each method appends nodes and returns the name of its output."""

    def __init__(self, name: str) -> None:
        number = list(SHAPES).index(name)
        self.name = name
        self.rng = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(number,)))
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    def input(self, *shape: int, name: str = "x") -> str:
        """A new input."""
        self.inputs[name] = self.shapes[name] = shape
        return name

    def store(self, value: object) -> str:
        """A stored value."""
        name = f"c{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def random(self, *shape: int, fan_in: int) -> str:
        """Stored Gaussian weights of variance 2 / fan_in."""
        return self.store((self.rng.standard_normal(shape) * (2 / fan_in) ** 0.5).astype(np.float32))

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        """Any node; the shape of its output comes from onnx. Of several outputs the name without number is returned."""
        name = f"{kind.lower()}{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{k}" for k in range(outputs)]
        node = helper.make_node(kind, inputs, names, name=name, **attributes)
        self.nodes.append(node)
        graph = helper.make_graph(
            [node],
            "one",
            [
                helper.make_tensor_value_info(given, TensorProto.FLOAT, self.shapes[given])
                for given in dict.fromkeys(inputs)
                if given in self.shapes
            ],
            [helper.make_tensor_value_info(made, TensorProto.FLOAT, None) for made in names],
            [tensor for tensor in self.stored if tensor.name in inputs],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
        for value in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output:
            self.shapes[value.name] = tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        return name

    def dense(self, tensor: str, width: int, relu: bool = True, gemm: bool = False) -> str:
        """A matrix and a bias, as Gemm or as MatMul and Add."""
        n = self.shapes[tensor][-1]
        bias = self.random(width, fan_in=n)
        if gemm:
            made = self.op("Gemm", tensor, self.random(width, n, fan_in=n), bias, transB=1)
        else:
            made = self.op("Add", self.op("MatMul", tensor, self.random(n, width, fan_in=n)), bias)
        return self.op("Relu", made) if relu else made

    def mlp(self, tensor: str, *widths: int, gemm: bool = True) -> str:
        """Layers with ReLU, the last without."""
        for width in widths[:-1]:
            tensor = self.dense(tensor, width, gemm=gemm)
        return self.dense(tensor, widths[-1], relu=False, gemm=gemm)

    def conv(
        self,
        tensor: str,
        channels: int,
        size: int,
        stride: int = 1,
        pad: int = 0,
        *,
        relu: bool = True,
        norm: bool = False,
    ) -> str:
        """A convolution, batch normalisation where asked for, and a ReLU."""
        taken = self.shapes[tensor][1]
        axes = len(self.shapes[tensor]) - 2
        kernel = self.random(channels, taken, *[size] * axes, fan_in=taken * size**axes)
        bias = self.random(channels, fan_in=taken * size**axes)
        made = self.op("Conv", tensor, kernel, bias, strides=[stride] * axes, pads=[pad] * 2 * axes)
        made = self.norm(made) if norm else made
        return self.op("Relu", made) if relu else made

    def norm(self, tensor: str) -> str:
        """Batch normalisation with positive gains and variances."""
        channels = self.shapes[tensor][1]
        gain, variance = (self.store(self.rng.uniform(0.5, 1.5, channels).astype(np.float32)) for _ in range(2))
        offset, mean = (self.random(channels, fan_in=50) for _ in range(2))
        return self.op("BatchNormalization", tensor, gain, offset, mean, variance)

    def transposed(self, tensor: str, channels: int, size: int, stride: int, pad: int = 0) -> str:
        """A transposed convolution."""
        taken = self.shapes[tensor][1]
        kernel = self.random(taken, channels, size, size, fan_in=taken * size)
        return self.op("ConvTranspose", tensor, kernel, strides=[stride] * 2, pads=[pad] * 4)

    def flat(self, tensor: str) -> str:
        """One axis behind the batch."""
        return self.op("Flatten", tensor)

    def block(self, tensor: str, channels: int, stride: int = 1, *, norm: bool = False) -> str:
        """A residual block of two convolutions, with one of size 1 on the way past where shapes change."""
        inner = self.conv(
            self.conv(tensor, channels, 3, stride, 1, norm=norm), channels, 3, 1, 1, relu=False, norm=norm
        )
        if self.shapes[inner] != self.shapes[tensor]:
            tensor = self.conv(tensor, channels, 1, stride, relu=False, norm=norm)
        return self.op("Relu", self.op("Add", inner, tensor))

    def finish(self, *outputs: str) -> onnx.ModelProto:
        """The model."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in self.inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name]) for name in outputs],
            self.stored,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], producer_name="polyinj")
        model.ir_version = 8
        return model


def _acasxu(m: Model) -> onnx.ModelProto:
    """Collision avoidance: normalised inputs, six layers of 50."""
    centred = m.op("Sub", m.input(1, 1, 1, 5), m.store(np.zeros((1, 1, 1, 5), dtype=np.float32)))
    return m.finish(m.mlp(m.flat(centred), *[50] * 6, 5, gemm=False))


def _mlp(inputs: int, *widths: int, end: str = "") -> Callable[[Model], onnx.ModelProto]:
    """Layers with ReLU, the last without, and what stands behind it."""

    def build(m: Model) -> onnx.ModelProto:
        made = m.mlp(m.input(1, inputs), *widths)
        return m.finish(m.op(end, made) if end else made)

    return build


def _image_mlp(*widths: int) -> Callable[[Model], onnx.ModelProto]:
    """An image scaled to mean and deviation, then layers."""

    def build(m: Model) -> onnx.ModelProto:
        centred = m.op("Sub", m.input(1, 1, 28, 28), m.store(np.float32(0.1307)))
        return m.finish(m.mlp(m.flat(m.op("Mul", centred, m.store(np.float32(3.25)))), *widths))

    return build


def _convs(
    shape: tuple[int, int, int], convs: list[tuple[int, int, int, int]], *widths: int, pool: int = 0
) -> Callable[[Model], onnx.ModelProto]:
    """Convolutions (channels, size, stride, padding), a MaxPool behind each where asked for, then layers."""

    def build(m: Model) -> onnx.ModelProto:
        tensor = m.input(1, *shape)
        for channels, size, stride, pad in convs:
            tensor = m.conv(tensor, channels, size, stride, pad)
            if pool:
                tensor = m.op("MaxPool", tensor, kernel_shape=[pool] * 2, strides=[pool] * 2)
        return m.finish(m.mlp(m.flat(tensor), *widths))

    return build


def _resnet(
    shape: tuple[int, int, int], blocks: list[tuple[int, int]], norm: bool
) -> Callable[[Model], onnx.ModelProto]:
    """A convolution, residual blocks (channels, stride), the mean of each channel, layers."""

    def build(m: Model) -> onnx.ModelProto:
        tensor = m.conv(m.input(1, *shape), 8, 3, 2, 1, norm=norm)
        for channels, stride in blocks:
            tensor = m.block(tensor, channels, stride, norm=norm)
        tensor = m.op("AveragePool", tensor, kernel_shape=[2, 2], strides=[2, 2])
        return m.finish(m.mlp(m.flat(tensor), 50, 10))

    return build


def _two_heads(m: Model) -> onnx.ModelProto:
    """A policy and a value from the same layers."""
    hidden = m.dense(m.dense(m.input(1, 8), 64), 64)
    return m.finish(m.dense(hidden, 4, relu=False), m.dense(hidden, 1, relu=False))


def _duelling(m: Model) -> onnx.ModelProto:
    """A value plus advantages minus their mean."""
    hidden = m.dense(m.input(1, 6), 48)
    value, gains = m.mlp(hidden, 24, 1), m.mlp(hidden, 24, 3)
    return m.finish(m.op("Add", value, m.op("Sub", gains, m.op("ReduceMean", gains, axes=[1], keepdims=1))))


def _slices(m: Model) -> onnx.ModelProto:
    """A distribution shift: eight numbers drive a generator, whose image is added to the rest of the input."""
    x = m.input(1, 72)
    ends = [m.store(np.array([value])) for value in (0, 8, 72, 1)]
    code, image = m.op("Slice", x, ends[0], ends[1], ends[3]), m.op("Slice", x, ends[1], ends[2], ends[3])
    return m.finish(m.mlp(m.op("Add", m.mlp(code, 32, 64), image), 64, 10))


def _splits(m: Model) -> onnx.ModelProto:
    """A learned estimate for queries: parts of the input through layers of their own, joined, a Sigmoid at the end."""
    parts = m.op("Split", m.input(1, 24), m.store(np.array([8, 10, 6])), outputs=3, axis=1)
    joined = m.op("Concat", *(m.op("Relu", m.mlp(f"{parts}_{k}", 16, 16)) for k in range(3)), axis=1)
    return m.finish(m.op("Sigmoid", m.mlp(joined, 16, 1)))


def _index(m: Model) -> onnx.ModelProto:
    """A learned index: one number to one."""
    return m.finish(m.mlp(m.input(1, 1), 128, 128, 128, 128, 1))


def _engine(m: Model) -> onnx.ModelProto:
    """Remaining life of an engine: convolutions along time, dropout, one output."""
    tensor = m.input(1, 1, 20, 20)
    for channels in (10, 10, 1):
        taken = m.shapes[tensor][1]
        kernel = m.random(channels, taken, 5, 1, fan_in=5 * taken)
        tensor = m.op("Dropout", m.op("Relu", m.op("Conv", tensor, kernel, strides=[2, 1], pads=[2, 0, 2, 0])))
    return m.finish(m.mlp(m.flat(tensor), 60, 1))


def _unet(m: Model) -> onnx.ModelProto:
    """Segmentation in small: down by pooling, up by transposed convolutions, levels joined."""
    first = m.conv(m.input(1, 3, 12, 12), 4, 3, 1, 1, norm=True)
    second = m.conv(m.op("AveragePool", first, kernel_shape=[2, 2], strides=[2, 2]), 8, 3, 1, 1, norm=True)
    joined = m.op("Concat", first, m.transposed(second, 4, 2, 2), axis=1)
    return m.finish(m.conv(m.conv(joined, 4, 3, 1, 1, norm=True), 2, 1, relu=False))


def _upsampling(m: Model) -> onnx.ModelProto:
    """The same with neighbours repeated instead."""
    first = m.conv(m.input(1, 1, 8, 8), 4, 3, 1, 1)
    second = m.conv(m.op("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2]), 4, 3, 1, 1)
    scales = m.store(np.array([1, 1, 2, 2], dtype=np.float32))
    settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    grown = m.op("Resize", second, "", scales, **settings)
    return m.finish(m.conv(m.op("Concat", first, grown, axis=1), 1, 3, 1, 1, relu=False))


def _generator(m: Model) -> onnx.ModelProto:
    """Five numbers to an image: a matrix, transposed convolutions with batch normalisation, a Tanh."""
    tensor = m.dense(m.input(1, 5), 64)
    tensor = m.op("Reshape", tensor, m.store(np.array([1, 16, 2, 2])))
    tensor = m.op("Relu", m.norm(m.transposed(tensor, 8, 4, 2, 1)))
    return m.finish(m.op("Tanh", m.transposed(tensor, 1, 4, 2, 1)))


def _discriminator(m: Model) -> onnx.ModelProto:
    """An image to one number: LeakyRelu between convolutions."""
    tensor = m.input(1, 1, 16, 16)
    for channels in (4, 8):
        tensor = m.op("LeakyRelu", m.conv(tensor, channels, 3, 2, 1, relu=False), alpha=0.2)
    return m.finish(m.dense(m.flat(tensor), 1, relu=False, gemm=True))


def _conditional(m: Model) -> onnx.ModelProto:
    """A condition beside the noise: two inputs, joined, through generator and discriminator."""
    tensor = m.op("Concat", m.input(1, 1, name="condition"), m.input(1, 4, name="noise"), axis=1)
    tensor = m.op("Reshape", m.dense(tensor, 32), m.store(np.array([1, 8, 2, 2])))
    tensor = m.op("Relu", m.transposed(tensor, 2, 4, 2, 1))
    tensor = m.op("LeakyRelu", m.conv(tensor, 4, 3, 2, 1, relu=False), alpha=0.2)
    return m.finish(m.dense(m.flat(tensor), 1, relu=False))


def _lattice(m: Model) -> onnx.ModelProto:
    """A two-level lattice: the largest of least values of linear functions."""
    x = m.input(1, 2)
    least = []
    for _ in range(4):
        linear = m.dense(x, 6, relu=False)
        parts = m.op("Split", linear, m.store(np.ones(6, dtype=np.int64)), outputs=6, axis=1)
        least.append(m.op("Min", *(f"{parts}_{k}" for k in range(6))))
    return m.finish(m.op("Max", *least))


def _bias_field(m: Model) -> onnx.ModelProto:
    """Sixteen coefficients of a brightness field over an image, then convolutions."""
    image = m.op("Reshape", m.dense(m.input(1, 16), 3 * 16 * 16, relu=False), m.store(np.array([1, 3, 16, 16])))
    return m.finish(m.mlp(m.flat(m.conv(m.conv(image, 8, 4, 2, 1), 16, 4, 2, 1)), 100, 10))


def _detector(m: Model) -> onnx.ModelProto:
    """Detection in small: LeakyRelu, a coarse and a fine head, joined."""
    stem = m.op("LeakyRelu", m.conv(m.input(1, 3, 16, 16), 4, 3, 2, 1, relu=False), alpha=0.1)
    deep = m.op("LeakyRelu", m.conv(stem, 8, 3, 2, 1, relu=False), alpha=0.1)
    fine, coarse = m.flat(m.conv(stem, 2, 1, relu=False)), m.flat(m.conv(deep, 2, 1, relu=False))
    return m.finish(m.op("Concat", fine, coarse, axis=1))


def _prelu(m: Model) -> onnx.ModelProto:
    """A slope for each neuron."""
    tensor = m.input(1, 10)
    for width in (24, 16):
        tensor = m.op("PRelu", m.dense(tensor, width, relu=False), m.store(m.rng.uniform(0.1, 0.4, width).astype("f")))
    return m.finish(m.dense(tensor, 4, relu=False))


def _clipped(m: Model) -> onnx.ModelProto:
    """A controller whose outputs are cut to what a motor does."""
    made = m.mlp(m.input(1, 4), 25, 25, 2)
    return m.finish(m.op("Clip", made, m.store(np.float32(-1)), m.store(np.float32(1))))


def _autoencoder(m: Model) -> onnx.ModelProto:
    """An image to a code and back."""
    tensor = m.conv(m.conv(m.input(1, 1, 12, 12), 4, 3, 2, 1), 8, 3, 2, 1)
    back = m.op(
        "Reshape", m.dense(m.dense(m.flat(tensor), 16), prod(m.shapes[tensor][1:])), m.store(np.array([1, 8, 3, 3]))
    )
    up = m.op("Relu", m.transposed(back, 4, 4, 2, 1))
    return m.finish(m.op("Sigmoid", m.transposed(up, 1, 4, 2, 1)))


def _classifier_end(m: Model) -> onnx.ModelProto:
    """Log-probabilities."""
    return m.finish(m.op("LogSoftmax", m.mlp(m.input(1, 20), 32, 32, 5), axis=1))


def _squeeze(m: Model) -> onnx.ModelProto:
    """Fire modules: a narrow convolution feeds two, which are joined; the mean of each channel."""
    tensor = m.op("MaxPool", m.conv(m.input(1, 3, 16, 16), 8, 3, 2, 1), kernel_shape=[2, 2], strides=[2, 2])
    for channels in (4, 8):
        narrow = m.conv(tensor, channels, 1)
        tensor = m.op("Concat", m.conv(narrow, channels, 1), m.conv(narrow, channels, 3, 1, 1), axis=1)
    return m.finish(m.op("GlobalAveragePool", m.conv(tensor, 10, 1, relu=False)))


def _wide_relu6(m: Model) -> onnx.ModelProto:
    """A mobile network in small: depthwise convolutions and ReLU6."""
    tensor = m.input(1, 3, 12, 12)
    bounds = m.store(np.float32(0)), m.store(np.float32(6))
    for channels, stride in ((8, 2), (8, 1)):
        tensor = m.op("Clip", m.conv(tensor, channels, 1, relu=False), *bounds)
        kernel = m.random(channels, 1, 3, 3, fan_in=9)
        made = m.op("Conv", tensor, kernel, group=channels, strides=[stride] * 2, pads=[1] * 4)
        tensor = m.op("Clip", made, *bounds)
    return m.finish(m.dense(m.flat(tensor), 10, relu=False))


def _largest_pool(m: Model) -> onnx.ModelProto:
    """Digits by convolutions with overlapping pooling."""
    tensor = m.op("MaxPool", m.conv(m.input(1, 1, 14, 14), 4, 3), kernel_shape=[3, 3], strides=[2, 2])
    return m.finish(m.mlp(m.flat(tensor), 32, 10))


def _residual_mlp(m: Model) -> onnx.ModelProto:
    """Residual blocks of matrices."""
    tensor = m.dense(m.input(1, 12), 24)
    for _ in range(3):
        tensor = m.op("Relu", m.op("Add", m.mlp(tensor, 24, 24), tensor))
    return m.finish(m.dense(tensor, 12, relu=False))


def _flow(m: Model) -> onnx.ModelProto:
    """Coupling layers: half of the input moves by a network of the other half: one-to-one, whatever the weights."""
    tensor = m.input(1, 6)
    for k in range(2):
        parts = m.op("Split", tensor, m.store(np.array([3, 3])), outputs=2, axis=1)
        kept, moved = f"{parts}_{k}", f"{parts}_{1 - k}"
        halves = [kept, m.op("Add", moved, m.mlp(kept, 8, 3))]
        tensor = m.op("Concat", *(halves if k == 0 else halves[::-1]), axis=1)
    return m.finish(tensor)


SMALL = [(16, 4, 2, 0), (32, 4, 2, 0)]
SHAPES: dict[str, Callable[[Model], onnx.ModelProto]] = {
    "acasxu": _acasxu,
    "mnist_256x2": _image_mlp(256, 256, 10),
    "mnist_256x4": _image_mlp(*[256] * 4, 10),
    "mnist_256x6": _image_mlp(*[256] * 6, 10),
    "mnist_3x50": _image_mlp(50, 50, 10),
    "mnist_conv_small": _convs((1, 28, 28), SMALL, 100, 10),
    "mnist_conv_medium": _convs((1, 28, 28), [(16, 4, 2, 1), (32, 4, 2, 1)], 1000, 10),
    "mnist_conv_maxpool": _largest_pool,
    "cifar_conv_small": _convs((3, 32, 32), SMALL, 100, 10),
    "cifar_base": _convs((3, 32, 32), [(8, 4, 2, 1), (16, 4, 2, 1)], 100, 10),
    "cifar_wide": _convs((3, 32, 32), [(16, 4, 2, 1), (32, 4, 2, 1)], 100, 10),
    "cifar_deep": _convs((3, 32, 32), [(8, 4, 2, 1), (8, 3, 1, 1), (8, 3, 1, 1), (8, 4, 2, 1)], 100, 10),
    "cifar_resnet_2b": _resnet((3, 32, 32), [(16, 2), (16, 1)], False),
    "cifar_resnet_4b_norm": _resnet((3, 32, 32), [(8, 1), (8, 1), (16, 2), (16, 1)], True),
    "vgg_small": _convs((3, 16, 16), [(8, 3, 1, 1), (16, 3, 1, 1)], 64, 10, pool=2),
    "squeezenet_small": _squeeze,
    "mobilenet_small": _wide_relu6,
    "detector_small": _detector,
    "bias_field": _bias_field,
    "collins_engine": _engine,
    "unet_small": _unet,
    "upsampling_small": _upsampling,
    "generator": _generator,
    "discriminator": _discriminator,
    "conditional_gan": _conditional,
    "autoencoder": _autoencoder,
    "cartpole": _mlp(4, 64, 64, 2),
    "lunarlander": _mlp(8, 64, 64, 4),
    "dubins_rejoin": _mlp(8, 256, 256, 8),
    "pendulum": _mlp(2, 25, 25, 1),
    "double_pendulum": _clipped,
    "tora": _mlp(4, 100, 100, 100, 1),
    "cruise_control": _mlp(5, *[20] * 5, 1),
    "unicycle": _mlp(4, 500, 2),
    "quadrotor": _mlp(12, 64, 64, 64, 3, end="Tanh"),
    "reach_density": _mlp(4, 32, 32, 32, 1, end="Sigmoid"),
    "safe_text": _mlp(30, 128, 2),
    "learned_index": _index,
    "learned_estimate": _splits,
    "distribution_shift": _slices,
    "lattice": _lattice,
    "two_heads": _two_heads,
    "duelling": _duelling,
    "slopes": _prelu,
    "log_probabilities": _classifier_end,
    "residual_mlp": _residual_mlp,
    "coupling_flow": _flow,
}


def make_model(name: str) -> onnx.ModelProto:
    """The model of a name in SHAPES, always with the same weights."""
    return SHAPES[name](Model(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the .onnx files go; it is made if need be")
    parser.add_argument("names", nargs="*", help=f"by default all: {', '.join(SHAPES)}")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(SHAPES))
    if unknown:
        parser.error(f"no shapes {', '.join(unknown)}; there are {', '.join(SHAPES)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or SHAPES:
        onnx.save(make_model(name), str(options.folder / f"{name}.onnx"))
    print(f"wrote {len(options.names or SHAPES)} networks to {options.folder}")


if __name__ == "__main__":
    main()
