"""Read a chain from a live `torch.nn.Sequential`, by the names of its classes: torch itself is never imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.exact.lossless import read_tensor
from polyinj.networks.builder import Chain
from polyinj.networks.network import Network


def is_sequential(module: object) -> bool:
    """Whether an object is a torch.nn.Sequential, or behaves like one."""
    return any(kind.__name__ == "Sequential" for kind in type(module).__mro__) and hasattr(module, "named_children")


def read_sequential(module: Any, *, input_shape: tuple[int, ...] | None = None, until: str | None = None) -> Network:
    """Read a network from a torch.nn.Sequential; see `polyinj.networks.files.read_network`."""
    chain = Chain(type(module).__name__, None if input_shape is None else (1, *input_shape))
    names: list[str] = []
    for name, child in _flat(module):
        kind = type(child).__name__
        handler = _HANDLERS.get(kind)
        hooked = _is_hooked(child)
        if handler is None or hooked:
            why = (
                "has forward hooks"
                if handler
                else f"is not supported; a chain of {', '.join(sorted(_HANDLERS))} is read"
            )
            way_out = f"; until={names[-1]!r} reads the part before it" if names else ""
            raise InputError(f"the module {name!r} ({kind}) {why}{way_out}")
        try:
            handler(chain, child, name)
        except InputError as error:
            raise InputError(f"the module {name!r} ({kind}): {error}") from None
        names.append(name)
        if name == until:
            break
    if until is not None and until not in names:
        raise InputError(f"there is no module {until!r}; there are {', '.join(names)}")
    return chain.finish()


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


def _linear(chain: Chain, module: Any, name: str) -> None:
    chain.multiply(_array(module.weight, f"{name}.weight"), _optional(module.bias, f"{name}.bias"), name)


def _conv(chain: Chain, module: Any, name: str) -> None:
    kernel = _array(module.weight, f"{name}.weight")
    if module.padding_mode != "zeros":
        raise InputError(f"padding_mode is {module.padding_mode!r}; expected 'zeros'")
    stride, dilation = list(module.stride), list(module.dilation)
    if module.padding == "same":
        # torch pads the odd zero behind.
        total = [step * (window - 1) for step, window in zip(dilation, kernel.shape[2:], strict=True)]
        padding = [(missing // 2, missing - missing // 2) for missing in total]
    else:
        sides = [0] * len(stride) if module.padding == "valid" else module.padding
        padding = [(side, side) for side in sides]
    bias = _optional(module.bias, f"{name}.bias")
    chain.convolve(kernel, bias, name, stride=stride, padding=padding, dilation=dilation, groups=module.groups)


def _batch_norm(chain: Chain, module: Any, name: str) -> None:
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
    chain.normalise(mean, variance, float(module.eps), gain, offset, name)


def _relu(chain: Chain, module: Any, name: str) -> None:
    chain.relu(name)


def _dropout(chain: Chain, module: Any, name: str) -> None:
    if module.training and module.p > 0:
        raise InputError("it drops at random, as in training; call eval() on the model first")


def _identity(chain: Chain, module: Any, name: str) -> None:
    pass


def _flatten(chain: Chain, module: Any, name: str) -> None:
    shape = chain.view.shape
    start, end = module.start_dim % len(shape), module.end_dim % len(shape)
    chain.reshape((*shape[:start], -1, *shape[end + 1 :]))


_HANDLERS: dict[str, Callable[[Chain, Any, str], None]] = {
    "Linear": _linear,
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _conv),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), _batch_norm),
    **dict.fromkeys(("Dropout", "Dropout1d", "Dropout2d", "Dropout3d"), _dropout),
    "Flatten": _flatten,
    "Identity": _identity,
    "ReLU": _relu,
}
