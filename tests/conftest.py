"""Test settings: every run draws the same examples, and every proof of injectivity that is returned is checked."""

import pytest
from hypothesis import settings

from polyinj.injectivity import decide

settings.register_profile("polyinj", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("polyinj")


@pytest.fixture(autouse=True, scope="session")
def every_proof_is_checked():
    """Counts in doubles too, which `decide_injectivity` returns unchecked."""
    conclude = decide._Run._injective

    def checked(run, claim, outcome):
        decision = conclude(run, claim, outcome)
        if decision.certificate is not None and not isinstance(run.layer.domain, decide.Cover):
            decision.verify()
        return decision

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide._Run, "_injective", checked)
        yield
