import numpy as np
from numpy.typing import NDArray

def count_supports(
    generators: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]: ...
