"""Reports without their pictures, which take most of the time."""

import pytest


@pytest.fixture(autouse=True)
def _undrawn(request, monkeypatch):
    """Pictures are drawn only for tests that ask for ``drawn``."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("monai_freq.documents.document.as_bytes", lambda *_: b"<svg/>")
