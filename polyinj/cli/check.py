"""The shell command `polyinj check`."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from polyinj.certificates.layer import LayerName
from polyinj.certificates.layer_collision import Collision, FloatCollision
from polyinj.cli.domain import BoxSides, Centre, Nonnegative, Radius, read_domain
from polyinj.cli.layer import (
    BiasKey,
    ExternalData,
    FinalRelu,
    InputShape,
    NoBias,
    Transpose,
    Until,
    network_options,
    read_layer,
    refuse_options_of_a_layer,
    refuse_options_of_a_network,
)
from polyinj.cli.network import check_network_file, is_network_file, read_network_file
from polyinj.cli.output import INJECTIVE, NOT_INJECTIVE, UNDECIDED, print_written
from polyinj.exact.arrays import format_ratio, read_matrix
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision, Verdict

_EXIT_CODES = {
    Verdict.INJECTIVE: INJECTIVE,
    Verdict.NOT_INJECTIVE: NOT_INJECTIVE,
    Verdict.UNDECIDED: UNDECIDED,
}


def check(
    file: Annotated[
        Path,
        typer.Argument(
            help="Weights, one row a neuron: .npy, .npz, .csv. Or a network: .onnx, .nnet, .safetensors, .npz."
        ),
    ],
    key: Annotated[str | None, typer.Option(help="One array of an .npz or .safetensors: one layer.")] = None,
    bias: Annotated[Path | None, typer.Option(help="File with the bias; by default there is none.")] = None,
    bias_key: BiasKey = None,
    no_bias: NoBias = False,
    transpose: Transpose = False,
    nonnegative: Nonnegative = False,
    sides: BoxSides = None,
    ball: Radius = None,
    ball_centre: Centre = None,
    certificate: Annotated[Path | None, typer.Option(help="Save the proof of the verdict: .json or .json.gz.")] = None,
    rank_proof: Annotated[bool, typer.Option("--rank-proof", help="Do not assume general position.")] = False,
    time_limit: Annotated[float | None, typer.Option(help="Seconds, then undecided; networks: 30 by default.")] = None,
    node_limit: Annotated[int | None, typer.Option(help="Nodes of a branch and bound, then undecided.")] = None,
    memory_limit: Annotated[int, typer.Option(help="MiB for the circuits and the proof, then undecided.")] = 4096,
    workers: Annotated[int, typer.Option(help="Threads.")] = 1,
    until: Until = None,
    input_shape: InputShape = None,
    final_relu: FinalRelu = False,
    external_data: ExternalData = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Decide whether a layer or a network is injective. Exit code 0: injective, 1: not injective, 3: undecided."""
    graph = network_options(until, input_shape, final_relu, external_data)
    if is_network_file(file, key):
        refuse_options_of_a_layer(
            file,
            **{"--key": key, "--bias": bias, "--bias-key": bias_key, "--no-bias": no_bias},
            **{"--node-limit": node_limit},
        )
        network = read_network_file(file, graph, transpose=transpose)
        verdict = check_network_file(
            network,
            read_domain(network.widths[0], nonnegative=nonnegative, sides=sides, radius=ball, centre=ball_centre),
            rank_proof=True if rank_proof else None,
            time_limit=time_limit,
            workers=workers,
            as_json=as_json,
            certificate=certificate,
        )
        raise typer.Exit(_EXIT_CODES[verdict])
    refuse_options_of_a_network(file, graph)
    weights, shift = read_layer(file, key, bias, bias_key, transpose=transpose, no_bias=no_bias)
    columns = read_matrix(weights).shape[1]
    decision = decide_injectivity(
        weights,
        shift,
        domain=read_domain(columns, nonnegative=nonnegative, sides=sides, radius=ball, centre=ball_centre),
        rank_proof=True if rank_proof else None,
        node_limit=node_limit,
        time_limit=time_limit,
        memory_limit=memory_limit << 20,
        workers=workers,
    )
    _report(decision, as_json=as_json, certificate=certificate)
    raise typer.Exit(_EXIT_CODES[decision.verdict])


def _report(decision: Decision, *, as_json: bool, certificate: Path | None) -> None:
    """Save the certificate of a layer, if there is one, and print the decision."""
    if certificate is not None and decision.certificate is not None:
        decision.certificate.save(certificate)
    m, n = decision.layer.weights.shape
    if m < n:
        print("polyinj: fewer rows than columns; if FILE stores one column a neuron, add --transpose", file=sys.stderr)
    if as_json:
        print(json.dumps(_decision_json(decision), indent=1))
        return
    _print_decision(decision)
    if certificate is not None and decision.certificate is not None:
        print_written([certificate])


def _decision_json(decision: Decision) -> dict[str, object]:
    m, n = decision.layer.weights.shape
    document: dict[str, object] = {
        "verdict": decision.verdict.value,
        "statement": decision.statement,
        "assumes_general_position": decision.assumes_general_position,
        "rows": m,
        "columns": n,
        "bias": decision.layer.bias is not None,
        "domain": LayerName.of(decision.layer).place,
        "depth_lower_bound": decision.depth_lower_bound,
        "fewest_active_found": decision.best_witness.active if decision.best_witness else None,
        "nodes": decision.stats.nodes,
        "seconds": decision.stats.seconds,
        "stopped_by": decision.stopped_by,
    }
    if decision.verdict is Verdict.NOT_INJECTIVE:
        proof, pair = decision.certificate, decision.float_collision()
        exact = {}
        if isinstance(proof, Collision):
            exact = {"x": [_number(entry) for entry in proof.x], "y": [_number(entry) for entry in proof.y]}
        document["collision"] = exact | {
            "x_float64": pair.x.tolist(),
            "y_float64": pair.y.tolist(),
            "distance": pair.distance,
            "image_difference": pair.image_difference,
        }
    return document


def _print_decision(decision: Decision) -> None:
    m, n = decision.layer.weights.shape
    assumed = " if the rows are in general position" if decision.assumes_general_position else ""
    bias = "with bias" if decision.layer.bias is not None else "without bias"
    print(f"{decision.verdict.value}{assumed}: {m} rows, {n} columns, {bias}, on {LayerName.of(decision.layer).place}")
    if decision.assumes_general_position:
        print(f"proven: at least {n} rows are active everywhere; --rank-proof tries to prove that they span")
    if decision.verdict is Verdict.UNDECIDED:
        print(decision.advice)
        print(f"proven: at least {decision.depth_lower_bound} rows are active everywhere; {n} are needed")
    if decision.best_witness is not None:
        print(f"fewest active rows found at a point: {decision.best_witness.active}")
    if isinstance(decision.certificate, Collision):
        print("collision, exact: x and y have the same image")
        for name, point in (("x", decision.certificate.x), ("y", decision.certificate.y)):
            print(f"  {name} = ({', '.join(map(_number, point))})")
    elif decision.verdict is Verdict.NOT_INJECTIVE:
        print("proven by the active rows there, which do not span; Decision.collision() makes an exact collision of it")
    if decision.verdict is Verdict.NOT_INJECTIVE:
        _print_float_collision(decision.float_collision())


def _print_float_collision(pair: FloatCollision) -> None:
    if pair.distance < 1e-3 * max(abs(pair.x).max(), abs(pair.y).max()):
        print("the nearest float64 pair is too close together to be worth showing")
        return
    print("nearest float64 pair")
    for name, rounded in (("x", pair.x), ("y", pair.y)):
        print(f"  {name} = {rounded.tolist()}")
    print(f"  |x - y| = {pair.distance:.6g}, largest difference of the images {pair.image_difference:.3g}")


def _number(value: Fraction) -> str:
    """A rational in full; Python prints no integer of more than 4300 digits."""
    return format_ratio(value).removesuffix("/1")
