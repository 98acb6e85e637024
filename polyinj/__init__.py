"""Random polyhedral geometry: exact, certified injectivity of ReLU layers beside what theory predicts.

The public names stand in `__init__.pyi`. Each is loaded on first use, so that the checker of certificates runs without
the search.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
