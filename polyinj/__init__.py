"""Random polyhedral geometry: exact, certified injectivity of ReLU layers beside what theory predicts."""

__version__ = "0.1.0"
