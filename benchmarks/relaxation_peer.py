"""auto_LiRPA as it answers benchmarks/relaxation.py, in an environment of its own: PEER_PYTHON relaxation_peer.py.

The first line of stdin names an .npz file: what `layers` says in JSON (Linear, Conv2d or ReLU and Flatten), weights and
biases w0, b0, ..., the sides of the boxes `lower`, `upper`. Each further line is a rule and a type; the answer is one
line of JSON: microseconds a box (user and system), lower and upper bounds of the outputs.
"""

import json
import resource
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")
import torch  # noqa: E402
from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm  # noqa: E402

# Of each rule: how bounds are propagated, and the slopes of unstable neurons.
METHODS = {
    "box": ("IBP", "adaptive"),
    "deepz": ("backward", "same-slope"),
    "crown": ("backward", "adaptive"),
    "crown-forward": ("forward", "adaptive"),
}


def module(data):
    layers = []
    for number, (kind, *options) in enumerate(json.loads(str(data["layers"]))):
        if kind in ("ReLU", "Flatten"):
            layers.append(getattr(torch.nn, kind)())
            continue
        weight, bias = (torch.tensor(data[f"{name}{number}"]) for name in "wb")
        shape = weight.shape[1::-1]
        layer = torch.nn.Linear(*shape) if kind == "Linear" else torch.nn.Conv2d(*shape, weight.shape[2:], **options[0])
        layer.weight.data, layer.bias.data = weight, bias
        layers.append(layer)
    return torch.nn.Sequential(*layers)


def main() -> None:
    torch.set_num_threads(1)
    data = np.load(sys.stdin.readline().strip())
    lower, upper = (torch.tensor(data[name]) for name in ("lower", "upper"))
    ready = {}
    for line in sys.stdin:
        rule, dtype = line.split()
        kind = getattr(torch, dtype)
        low, high = lower.to(kind), upper.to(kind)
        if (rule, dtype) not in ready:
            options = {"conv_mode": "patches", "activation_bound_option": METHODS[rule][1]}
            ready[rule, dtype] = BoundedModule(module(data).to(kind), (low + high) / 2, options, device="cpu")
        box = BoundedTensor((low + high) / 2, PerturbationLpNorm(norm=np.inf, x_L=low, x_U=high))
        with torch.no_grad():
            before = resource.getrusage(resource.RUSAGE_SELF)
            least, most = ready[rule, dtype].compute_bounds(x=(box,), method=METHODS[rule][0])
            after = resource.getrusage(resource.RUSAGE_SELF)
        spent = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        times = [1e6 * part / len(low) for part in spent]
        print(json.dumps({"times": times, "lower": least.tolist(), "upper": most.tolist()}), flush=True)


if __name__ == "__main__":
    main()
