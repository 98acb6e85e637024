import numpy as np
from numpy.typing import NDArray

def describe_rows(
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]] | None: ...
