"""Train a small network on scikit-learn's digits, and save it with the images it was not trained on.

    python examples/digits_network.py
    polyinj inspect digits.npz --data images.npy --box 0:1

writes digits.npz and images.npy to the working directory; some seconds.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

_TRAINED = 1200


def main() -> None:
    images, digits = load_digits(return_X_y=True)
    images = images / 16
    model = MLPClassifier((160, 96, 32), random_state=0, max_iter=300).fit(images[:_TRAINED], digits[:_TRAINED])
    score = model.score(images[_TRAINED:], digits[_TRAINED:])
    print(f"{score:.1%} of {len(images) - _TRAINED} other images are recognised")
    arrays = {f"W{k}": weights.T for k, weights in enumerate(model.coefs_, start=1)}
    arrays |= {f"b{k}": bias for k, bias in enumerate(model.intercepts_, start=1)}
    np.savez("digits.npz", **arrays)
    np.save("images.npy", images[_TRAINED:])


if __name__ == "__main__":
    main()
