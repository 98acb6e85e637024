"""Read a chain from a live `torch.nn.Sequential`, by the names of its classes: torch itself is never imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.exact.lossless import read_tensor
from polyinj.networks.builder import Builder, Tensor
from polyinj.networks.endings import ended, ending_note
from polyinj.networks.network import Network
from polyinj.networks.piecewise import clip, leaky_relu
from polyinj.networks.windows import Windows, average, convolve, largest


def is_sequential(module: object) -> bool:
    """Whether an object is a torch.nn.Sequential, or behaves like one."""
    return any(kind.__name__ == "Sequential" for kind in type(module).__mro__) and hasattr(module, "named_children")


def read_sequential(module: Any, *, input_shape: tuple[int, ...] | None = None, until: str | None = None) -> Network:
    """Read a network from a torch.nn.Sequential; see `polyinj.networks.files.read_network`."""
    builder = Builder(type(module).__name__)
    children = list(_flat(module))
    shape = input_shape or _vector(children)
    tensor = None if shape is None else builder.input((1, *shape))
    names: list[str] = []
    for name, child in children:
        kind = type(child).__name__
        handler = _HANDLERS.get(kind)
        way_out = f"; until={names[-1]!r} reads the part before it" if names else ""
        if handler is None or _is_hooked(child):
            why = (
                "has forward hooks"
                if handler
                else f"is not supported; a chain of {', '.join(sorted(_HANDLERS))} is read"
            )
            raise InputError(f"the module {name!r} ({kind}) {why}{way_out}")
        try:
            if tensor is None:
                raise InputError("the shape of the input is not stored; give it, such as --input-shape 1,28,28")
            if tensor.ending and kind not in _KEEP:
                raise InputError(f"what comes out of {tensor.ending} is read at the end of a network only{way_out}")
            tensor = handler(builder, tensor, child, name)
        except InputError as error:
            raise InputError(f"the module {name!r} ({kind}): {error}") from None
        names.append(name)
        if name == until:
            break
    if until is not None and until not in names:
        raise InputError(f"there is no module {until!r}; there are {', '.join(names)}")
    outputs = [] if tensor is None else [tensor]
    return builder.finish(outputs, shape or (), "".join(ending_note("the module", out) for out in outputs))


def _vector(children: list[tuple[str, Any]]) -> tuple[int, ...] | None:
    """The shape of the vectors that the first matrix takes, where only what keeps shapes stands before it."""
    for _, child in children:
        kind = type(child).__name__
        if kind == "Linear":
            return (int(_array(child.weight, "weight").shape[-1]),)
        if kind not in _KEEP and kind not in ("ReLU", "LeakyReLU", "ReLU6", "Hardtanh"):
            return None
    return None


def _flat(module: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    base = next(kind for kind in type(module).__mro__ if kind.__name__ == "Sequential")
    if getattr(type(module), "forward", None) is not getattr(base, "forward", None):
        raise InputError(f"{type(module).__name__} has a forward of its own; expected that of torch.nn.Sequential")
    if _is_hooked(module):
        raise InputError(f"the Sequential {prefix.rstrip('.')!r} has forward hooks; remove them")
    for name, child in module.named_children():
        if is_sequential(child):
            yield from _flat(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _is_hooked(module: Any) -> bool:
    return bool(getattr(module, "_forward_hooks", None) or getattr(module, "_forward_pre_hooks", None))


def _array(tensor: Any, name: str) -> NDArray[Any]:
    """The values of a tensor; double() is exact for every float type, bfloat16 included, which NumPy lacks."""
    return read_tensor(np.asarray(tensor.detach().cpu().double().numpy()), name)


def _optional(tensor: Any, name: str) -> NDArray[Any] | None:
    return None if tensor is None else _array(tensor, name)


def _linear(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    made = builder.multiply(tensor, _array(module.weight, f"{name}.weight"), name)
    bias = _optional(module.bias, f"{name}.bias")
    return made if bias is None else builder.shift(made, bias, name)


def _conv(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    kernel = _array(module.weight, f"{name}.weight")
    if module.padding_mode != "zeros":
        raise InputError(f"padding_mode is {module.padding_mode!r}; expected 'zeros'")
    windows = Windows.of(kernel.shape[2:], list(module.stride), None, list(module.dilation))
    if module.padding == "same":
        # torch pads the odd zero behind.
        windows = replace(windows, padding=tuple(((reach - 1) // 2, reach // 2) for reach in windows.reach))
    elif module.padding != "valid":
        windows = replace(windows, padding=tuple((side, side) for side in module.padding))
    made = convolve(builder, tensor, kernel, windows, module.groups, name)
    bias = _optional(module.bias, f"{name}.bias")
    return made if bias is None else builder.shift(made, bias.reshape(-1, *[1] * len(windows.window)), name)


def _pool(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    axes = int(type(module).__name__[-2])
    window, stride, sides = (
        [given] * axes if isinstance(given, int) else list(given)
        for given in (module.kernel_size, module.stride, module.padding)
    )
    padding = [(side, side) for side in sides]
    if type(module).__name__.startswith("Max"):
        given = module.dilation
        windows = Windows.of(window, stride, padding, [given] * axes if isinstance(given, int) else list(given))
        return largest(builder, tensor, windows, name, ceil=module.ceil_mode)
    if getattr(module, "divisor_override", None):
        raise InputError(f"divisor_override is {module.divisor_override}; expected None")
    windows = Windows.of(window, stride, padding)
    return average(builder, tensor, windows, name, ceil=module.ceil_mode, padded=module.count_include_pad)


def _batch_norm(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    if module.training or module.running_mean is None:
        raise InputError("it normalises by the batch, as in training; call eval() on the model first")
    gain = _optional(module.weight, f"{name}.weight")
    offset = _optional(module.bias, f"{name}.bias")
    mean, variance = (
        _array(module.running_mean, f"{name}.running_mean"),
        _array(module.running_var, f"{name}.running_var"),
    )
    gain = np.ones(len(mean)) if gain is None else gain
    offset = np.zeros(len(mean)) if offset is None else offset
    return builder.normalise(tensor, mean, variance, float(module.eps), gain, offset, name)


def _relu(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    return builder.relu(tensor, name)


def _leaky_relu(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    return leaky_relu(builder, tensor, np.array(float(module.negative_slope)), name)


def _clip(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    return clip(builder, tensor, np.array(float(module.min_val)), np.array(float(module.max_val)), name)


def _increasing(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    return ended(tensor, type(module).__name__)


def _dropout(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    if module.training and module.p > 0:
        raise InputError("it drops at random, as in training; call eval() on the model first")
    return tensor


def _identity(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    return tensor


def _flatten(builder: Builder, tensor: Tensor, module: Any, name: str) -> Tensor:
    shape = tensor.shape
    start, end = module.start_dim % len(shape), module.end_dim % len(shape)
    return tensor.reshape((*shape[:start], -1, *shape[end + 1 :]))


_KEEP = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "Flatten", "Identity", "Sigmoid", "Softplus", "Tanh")
_HANDLERS: dict[str, Callable[[Builder, Tensor, Any, str], Tensor]] = {
    "Linear": _linear,
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _conv),
    **dict.fromkeys((f"{kind}Pool{axes}d" for kind in ("Avg", "Max") for axes in (1, 2, 3)), _pool),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), _batch_norm),
    **dict.fromkeys(("Dropout", "Dropout1d", "Dropout2d", "Dropout3d"), _dropout),
    **dict.fromkeys(("Hardtanh", "ReLU6"), _clip),
    **dict.fromkeys(("Sigmoid", "Softplus", "Tanh"), _increasing),
    "Flatten": _flatten,
    "Identity": _identity,
    "LeakyReLU": _leaky_relu,
    "ReLU": _relu,
}
