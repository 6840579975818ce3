"""How local files travel with a request."""

from __future__ import annotations

import pytest

from batchgen.catalog import Measured, Media, Request, Way, load
from batchgen.runner.needs import ways


@pytest.mark.parametrize("keys", [("img_url", "audio_url"), ("audio_url", "img_url")])
def test_a_file_that_one_field_wants_uploaded_is_uploaded_for_all(keys):
    """It is sent once, whichever field is looked at first."""
    measured = Measured(size=100, width=8, height=8, seconds=None, alpha=False)
    file = Media("a.bin", sha256="0" * 64, media_type="image/png", measured=measured)
    model = load().find("wan2.6-i2v")
    alone = Request(model.name, {}, {"img_url": (file,)}, {})
    both = Request(model.name, {}, dict.fromkeys(keys, (file,)), {})
    assert ways(model, alone) == {file: Way.INLINE}
    assert ways(model, both) == {file: Way.UPLOAD}
