"""The result of sending inputs through networks: observables by network and layer, saved, drawn and summed up."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from polyinj.errors import InputError
from polyinj.propagation.observables import OBSERVABLES
from polyinj.propagation.random_network import RandomNetwork
from polyinj.propagation.theory_curves import predict, predict_given
from polyinj.results.files import numbers
from polyinj.results.saved import SavedResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Propagation(SavedResult):
    """Result of `propagate`.

    Attributes
    ----------
    network : RandomNetwork or str
        The law of the networks, or the description of a given one.
    batch : int
        Inputs B; pairs of the observables that need pairs are (k, k + B/2).
    cosine : float
        Between any two inputs; nan for given inputs.
    layers : tuple of int
        Recorded layers, increasing; 0 is the input.
    values : ndarray of float64, shape (networks, len(layers), len(OBSERVABLES))
        In the order of `polyinj.propagation.observables.OBSERVABLES`, nan where an observable is undefined.
    seed : int
        Repeats the run; the same networks and inputs, whatever the executor.
    dtype : str
        'float32' or 'float64'.
    version : str
        The version of polyinj that made it.
    gram : ndarray of float64, shape (B, B), or None
        The Gram matrix of given inputs, x_i.x_j / n.
    """

    NAME: ClassVar[str] = "propagation"
    KIND: ClassVar[str] = "propagation"

    network: RandomNetwork | str
    batch: int
    cosine: float
    layers: tuple[int, ...]
    values: NDArray[np.float64]
    seed: int
    dtype: str
    version: str
    gram: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        return (
            f"Propagation({self.network}, networks={len(self.values)}, batch={self.batch}, cosine={self.cosine:g}, "
            f"{len(self.layers)} layers; dtype={self.dtype}, seed={self.seed})"
        )

    def observable(self, name: str) -> NDArray[np.float64]:
        """One observable, shape (networks, len(layers)).

        Raises
        ------
        InputError
            No observable of that name.
        """
        if name not in OBSERVABLES:
            raise InputError(f"observable is {name!r}; expected one of {', '.join(OBSERVABLES)}")
        found: NDArray[np.float64] = self.values[:, :, list(OBSERVABLES).index(name)]
        return found

    def summary(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean over networks of one observable and the ends of its 95 % interval (Student), shape (len(layers),) each.

        A layer where the observable is undefined for some network is nan; so are the ends for a single network.
        """
        values = self.observable(name)
        count = len(values)
        mean = values.mean(axis=0)
        if count < 2:
            return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
        half = float(student.ppf(0.975, count - 1)) * values.std(axis=0, ddof=1) / math.sqrt(count)
        return mean, mean - half, mean + half

    def theory(self) -> dict[str, NDArray[np.float64]]:
        """Predictions for some observables at `layers`, those of `propagation.theory_curves`."""
        if isinstance(self.network, str):
            return {}
        if self.gram is not None:
            return predict_given(self.network, self.gram, self.layers)
        return {} if math.isnan(self.cosine) else predict(self.network, self.cosine, self.batch, self.layers)

    def to_pandas(self) -> Any:
        """One row a layer, columns as in propagation.csv; needs pandas."""
        import pandas as pd

        columns, table = self._table()
        return pd.DataFrame(table, columns=columns)

    def plot(self) -> Figure:
        """All observables against depth, beside theory, as a matplotlib figure."""
        from polyinj.plots.propagation import plot_propagation

        return plot_propagation(self)

    def _document(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "seed": self.seed,
            "dtype": self.dtype,
            "network": self.network if isinstance(self.network, str) else asdict(self.network),
            "batch": self.batch,
            "cosine": self.cosine,
            "layers": self.layers,
            "lenses": {name: self.observable(name).tolist() for name in OBSERVABLES},
            "gram": None if self.gram is None else self.gram.tolist(),
        }

    @classmethod
    def _of_document(cls, data: dict[str, Any]) -> Propagation:
        network = data["network"]
        law = network if isinstance(network, str) else RandomNetwork(**network)
        observables = [
            [list(numbers(dict(enumerate(row))).values()) for row in data["lenses"][name]]  # type: ignore[arg-type]
            for name in OBSERVABLES
        ]
        values = np.moveaxis(np.array(observables, dtype=np.float64), 0, -1)
        head = numbers({"cosine": data["cosine"]})
        return cls(
            law,
            int(data["batch"]),
            head["cosine"],
            tuple(data["layers"]),
            values,
            int(data["seed"]),
            data["dtype"],
            data["version"],
            None if data.get("gram") is None else np.array(data["gram"], dtype=np.float64),
        )

    def _table(self) -> tuple[list[str], list[list[float]]]:
        columns, arrays = ["layer"], [np.array(self.layers, dtype=np.float64)]
        theory = self.theory()
        for name in OBSERVABLES:
            columns += [name, f"{name}_low", f"{name}_high"]
            arrays += self.summary(name)
        for name, curve in theory.items():
            columns.append(f"{name}_theory")
            arrays.append(curve)
        rows = np.column_stack(arrays).tolist()
        return columns, [[int(row[0]), *row[1:]] for row in rows]
