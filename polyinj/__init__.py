"""Random polyhedral geometry: exact, certified injectivity of ReLU layers beside what theory predicts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from polyinj.errors import BudgetExceeded as BudgetExceeded
    from polyinj.errors import CertificateError as CertificateError
    from polyinj.errors import InputError as InputError
    from polyinj.errors import PolyinjError as PolyinjError
    from polyinj.geometry.arrangement import Arrangement as Arrangement

# Names are loaded on first use, so that the checker of certificates can be imported without the search (PEP 562).
_HOMES = {
    "polyinj.errors": ["BudgetExceeded", "CertificateError", "InputError", "PolyinjError"],
    "polyinj.geometry.arrangement": ["Arrangement"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'polyinj' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
