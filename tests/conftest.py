"""Test settings: every run draws the same examples, and every proof of injectivity that is returned is checked."""

import sys
from types import SimpleNamespace

import pytest
from hypothesis import settings

from polyinj.certificates.domain import Cover
from polyinj.cli.app import main
from polyinj.injectivity.case import Case

settings.register_profile("polyinj", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("polyinj")


@pytest.fixture(autouse=True, scope="session")
def every_proof_is_checked():
    """Counts in doubles too, which `decide_injectivity` returns unchecked."""
    conclude = Case.injective

    def checked(case, claim, outcome):
        decision = conclude(case, claim, outcome)
        if decision.certificate is not None and not isinstance(case.layer.domain, Cover):
            decision.verify()
        return decision

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Case, "injective", checked)
        yield


@pytest.fixture
def run_main(monkeypatch, capsys):
    """Run `polyinj ...` in this process: the same entry point, without the cost of starting Python."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["polyinj", *map(str, arguments)])
        # Workers of a parallel run inherit the width of a terminal, which output into a pipe does not have.
        monkeypatch.delenv("COLUMNS", raising=False)
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=stop.value.code or 0, stdout=printed.out, stderr=printed.err)

    return run
