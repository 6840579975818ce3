"""A journal that is gone: known by what only batchgen writes, and made anew from what is left."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from batchgen.api.rebuilding import rebuild
from batchgen.errors import ExitCode, JournalError
from batchgen.manifest import load
from tests.runner.rehearsal import START

pytestmark = pytest.mark.looptime

TWO = """
defaults: {model: wan2.2-t2v-plus, size: 832*480}
jobs:
  - {id: owl, prompt: An owl turns its head.}
  - {id: fox, prompt: A fox reads a case file.}
"""


@pytest.mark.parametrize("content", ['{"manifest": "film"}', '{"manifest": "film", "batchgen": 1}'])
async def test_somebodys_notes_are_no_sidecar(night, content):
    """A JSON file of the owner's that happens to name the manifest keeps nobody out."""
    night.manifest(TWO)
    night.output.mkdir(parents=True)
    (night.output / "notes.json").write_text(content)
    assert (await night.collect()).exit_code is ExitCode.DONE
    assert not (night.output / ".batchgen").exists()


async def test_a_sidecar_without_a_journal_is_told(night):
    """What else was sent is not known: whoever only collects is sent to `rebuild`."""
    await night.go(TWO)
    for path in (night.output / ".batchgen").iterdir():
        if path.is_file():
            path.unlink()
    (night.output / "fox.json").write_text(json.dumps({"manifest": "film"}))
    with pytest.raises(JournalError, match="is missing, but there are results of it"):
        await night.collect()


async def test_a_sidecar_of_another_manifest_keeps_nobody_out(night):
    """Somebody else's results may lie in the folder: they say nothing of this batch."""
    await night.go(TWO)
    theirs = json.loads((night.output / "owl.json").read_text())
    shutil.rmtree(night.output)
    night.output.mkdir()
    (night.output / "owl.json").write_text(json.dumps({**theirs, "manifest": "other"}))
    assert (await night.collect()).exit_code is ExitCode.DONE
    (night.output / "owl.json").write_text(json.dumps(theirs))
    with pytest.raises(JournalError):
        await night.collect()


async def test_without_a_sidecar_a_rebuilt_batch_finds_its_tasks(night):
    """All that is left is what the first run put beside its journal: old enough to search from, so
    that tasks are adopted, and what was never sent is known to be absent.
    """
    limited = f"limits: {{max_in_flight: 2}}{TWO}  - {{id: hen, prompt: A hen lays an egg.}}"
    await night.go(limited, stop_when=lambda seen: seen.at_service == 2)
    home = night.output / ".batchgen"
    for path in home.glob("journal.sqlite*"):
        path.unlink()
    for path in home.iterdir():
        os.utime(path, (START, START))
    rebuilt = await rebuild(load(night.path), night.chosen(), now=night.wall())
    assert {str(one.state) for one in rebuilt.jobs} == {"in doubt"}
    summary = await night.go()
    assert (summary.exit_code, summary.adopted, summary.submitted) == (ExitCode.DONE, 2, 1)
    assert night.bill.tasks_created == 3
