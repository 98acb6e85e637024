"""ONNX models made in tests, and what a runtime computes: onnxruntime, or onnx's own evaluator where it is missing."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

try:
    import onnxruntime
except ImportError:
    onnxruntime = None
else:
    onnxruntime.set_default_logger_severity(4)


def make(nodes, stored, inputs, outputs=("y",), *, opset=17, elem=TensorProto.FLOAT):
    """A model; `stored` and `inputs` are values and shapes by name."""
    graph = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info(name, elem, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, elem, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


class Runtime:
    """A model that runs on vectors: all inputs one behind the other, and so the outputs."""

    def __init__(self, model):
        stored = {tensor.name for tensor in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in stored]
        self.shapes = {
            value.name: [max(axis.dim_value, 1) for axis in value.type.tensor_type.shape.dim] for value in inputs
        }
        kind = inputs[0].type.tensor_type.elem_type
        self.dtype = np.float64 if kind == TensorProto.DOUBLE else np.float32
        if onnxruntime is None:
            self.session = ReferenceEvaluator(model)
        else:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            self.session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )

    @property
    def inputs(self):
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def __call__(self, vector):
        """The outputs of one input, flat, in float64."""
        feeds, place = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            feeds[name] = np.asarray(vector[place : place + size], dtype=self.dtype).reshape(shape)
            place += size
        return np.concatenate([np.ravel(out) for out in self.session.run(None, feeds)]).astype(np.float64)


def finish(network, model, outputs):
    """What the file makes of the outputs of a network that was read before a Sigmoid, Tanh or Softmax at its end."""
    for node in model.graph.node:
        if node.op_type == "Sigmoid":
            outputs = 1 / (1 + np.exp(-outputs))
        elif node.op_type == "Tanh":
            outputs = np.tanh(outputs)
        elif node.op_type in ("Softmax", "LogSoftmax"):
            outputs = outputs - outputs.max()
            outputs = outputs - np.log(np.exp(outputs).sum())
            outputs = np.exp(outputs) if node.op_type == "Softmax" else outputs
    return outputs


def save(model, path):
    onnx.save(model, str(path))
    return path
