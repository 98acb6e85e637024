"""The codes of proofs are the same where the kernel writes them and where the checker reads them."""

import re
from pathlib import Path

import polyinj
from polyinj.certificates import opcodes


def test_codes_of_the_kernel_are_those_of_the_checker():
    header = Path(polyinj.__file__).parent / "injectivity" / "csrc" / "recording.h"
    kernel = {name: int(code) for name, code in re.findall(r"STEP_(\w+) = (\d+)", header.read_text())}
    # A subtree that another worker searches is no part of a proof.
    given = kernel.pop("GIVEN")
    assert kernel.items() <= vars(opcodes).items()
    assert len(kernel) >= 6
    assert given not in range(1, 8)
