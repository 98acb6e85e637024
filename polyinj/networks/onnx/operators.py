"""What each operator of ONNX does to tensors: one function an operator, in `OPERATORS`."""

from __future__ import annotations

from collections.abc import Callable

from polyinj.networks.builder import Tensor
from polyinj.networks.onnx import affine, moves, nonlinear, resize
from polyinj.networks.onnx.graph import Step

OPERATORS: dict[str, Callable[[Step], Tensor | list[Tensor]]] = {
    "Abs": nonlinear.modulus,
    "Add": affine.add,
    "AveragePool": affine.average_pool,
    "BatchNormalization": affine.batch_normalization,
    "Cast": moves.cast,
    "Clip": nonlinear.clip_between,
    "Concat": moves.concat,
    "Conv": affine.conv,
    "ConvTranspose": affine.conv_transpose,
    "DepthToSpace": moves.depth_and_space,
    "Div": affine.div,
    "Dropout": moves.dropout,
    "Expand": moves.expand,
    "Flatten": moves.flatten,
    "Gather": moves.gather,
    "Gemm": affine.gemm,
    "GlobalAveragePool": affine.global_average_pool,
    "GlobalMaxPool": nonlinear.global_max_pool,
    "HardSigmoid": nonlinear.hard_sigmoid,
    "Identity": moves.identity,
    "LeakyRelu": nonlinear.leaky,
    "Log": nonlinear.log,
    "LogSoftmax": nonlinear.softmax,
    "MatMul": affine.matmul,
    "Max": nonlinear.of_several,
    "MaxPool": nonlinear.max_pool,
    "Mean": affine.add_all,
    "Min": nonlinear.of_several,
    "Mul": affine.mul,
    "Neg": affine.neg,
    "PRelu": nonlinear.prelu,
    "Pad": moves.pad,
    "ReduceMax": nonlinear.reduce_largest,
    "ReduceMean": affine.reduce,
    "ReduceMin": nonlinear.reduce_largest,
    "ReduceSum": affine.reduce,
    "Relu": nonlinear.relu,
    "Reshape": moves.reshape,
    "Resize": resize.resize,
    "Slice": moves.cut,
    "Softmax": nonlinear.softmax,
    "SpaceToDepth": moves.depth_and_space,
    "Split": moves.split,
    "Squeeze": moves.squeeze,
    "Sub": affine.sub,
    "Sum": affine.add_all,
    "Tile": moves.tile,
    "Transpose": moves.transpose,
    "Unsqueeze": moves.unsqueeze,
    "Upsample": resize.resize,
    "Where": moves.where,
    **dict.fromkeys(
        ("Asinh", "Atan", "Celu", "Elu", "Erf", "Exp", "Selu", "Sigmoid", "Sinh", "Softplus", "Softsign", "Tanh"),
        nonlinear.increasing,
    ),
}
