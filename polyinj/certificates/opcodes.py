"""The codes of the trees of an `InjectivityProof`, for those who write proofs and for the checker.

docs/certificate-format.md says what follows each code and why it is sound; injectivity/csrc/recording.h has them in C.
"""

UNIT, FILL, BRANCH, PACKING, CONTRADICTION, SPANNING, FLAT = range(1, 8)
