"""How long the rest takes under the limits."""

from __future__ import annotations

import pytest

from batchgen.manifest import load
from batchgen.report.forecast import forecast


@pytest.fixture
def manifest(tmp_path):
    """Makes a manifest with these limits."""

    def make(limits=""):
        path = tmp_path / "night.yaml"
        path.write_text(f"{limits}\njobs: [{{model: wan2.6-t2v, prompt: a}}]\n")
        return load(path)

    return make


def typical(manifest, model):
    return manifest.catalog.models[model].limits.typical_seconds


def test_waves_of_one_model(manifest, job, batch):
    """As many as render at once take the time of one; one more takes another wave."""
    one, film = manifest(), typical(manifest(), "wan2.6-t2v")
    jobs = [job(f"fox-{n}", state="new") for n in range(6)]
    assert forecast(one, batch(*jobs[:1])).seconds == film
    assert forecast(one, batch(*jobs[:5])).seconds == film + 4 / 5  # sent five a second
    assert forecast(one, batch(*jobs)).seconds == 2 * film


def test_what_is_at_the_service_takes_its_time(manifest, job, batch):
    """Tasks under way count, jobs that are done do not."""
    one, film = manifest(), typical(manifest(), "wan2.6-t2v")
    assert forecast(one, batch(job("a", state="rendering"))).seconds == film
    assert forecast(one, batch(job("a"), job("b", state="failed"))).seconds == 0


def test_models_do_not_wait_for_each_other(manifest, job, batch):
    """The slowest model decides, unless the manifest limits what is at the service at once."""
    film, sheet = (typical(manifest(), name) for name in ("wan2.6-t2v", "wan2.6-t2i"))
    jobs = [
        job(f"fox-{n}", state="new", model=("wan2.6-t2v", "wan2.6-t2i")[n % 2]) for n in range(4)
    ]
    free = forecast(manifest(), batch(*jobs))
    assert free.seconds == max(free.by_model.values()) == pytest.approx(film, abs=1)
    narrow = forecast(manifest("limits: {max_in_flight: 1}"), batch(*jobs))
    assert narrow.seconds == 2 * film + 2 * sheet


def test_an_unmeasured_model_is_left_out_and_named(manifest, job, batch):
    """An estimate that leaves something out says what."""
    told = forecast(
        manifest(), batch(job("a", state="new"), job("b", state="new", model="wan2.2-t2v-plus"))
    )
    assert told.unmeasured == ("wan2.2-t2v-plus",)
    assert told.seconds == typical(manifest(), "wan2.6-t2v")


def test_a_model_that_nobody_knows_any_more(manifest, job, batch):
    """A task of a model that the catalog has dropped does not hinder the plan."""
    assert forecast(manifest(), batch(job("a", state="rendering", model="wan1"))).seconds == 0
