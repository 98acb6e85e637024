import numpy as np
from numpy.typing import NDArray

LIMBS_OF_ROWS: int
LIMBS_OF_RAYS: int

def describe_rows(
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]] | None: ...
def extend_rays(
    rows: NDArray[np.uint64], row_signs: NDArray[np.int8], rays: NDArray[np.uint64], ray_signs: NDArray[np.int8]
) -> tuple[NDArray[np.uint64], NDArray[np.int8], NDArray[np.uint64]] | None: ...
