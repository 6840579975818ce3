"""The power fails at a point of a run: what had reached the disk is all there is, and it is enough.

The batch lies on a file system of its own in a file, mounted so that the kernel writes to it only
what it is made to. The run dies, the file is copied as it is (that is the disk after the power
cut), and the batch goes on upon the copy. Since every sync of that file system takes all names with
it, the syncs of folders are looked for in the order of a run's steps besides.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager

import pytest

from tests.crash.test_deaths import PART, PICTURE, POST, some_of

SIZE = 128 << 20
"""Bytes of the file system, nearly all of them holes: more than batchgen keeps free."""


def call(*command):
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)


def copy(image, other):
    """As it is at this moment; its holes stay holes."""
    call("cp", "--sparse=always", image, other)


@contextmanager
def mounted(image, place):
    """The file system in a file, written to as seldom as can be."""
    call("mount", "-o", "loop,commit=300", image, place)
    try:
        yield
    finally:
        call("umount", place)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """An empty file system in a file, and the place where it can be mounted."""
    folder = tmp_path_factory.mktemp("disk")
    image, place = folder / "image", folder / "place"
    place.mkdir()
    image.touch()
    os.truncate(image, SIZE)
    try:
        call("mkfs.ext4", "-q", image)
        with mounted(image, place):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {getattr(error, 'stderr', error)}")
    return image, place


@pytest.fixture(scope="module")
def picture(stage):
    """What a run of one picture goes through, from the first fact on."""
    points = stage.batch(PICTURE).write().run().points
    names = [point.name for point in points]
    return points[names.index("before commit Wanted moon") :]


@pytest.mark.fault(17)
def test_a_power_cut_leaves_whole_results_and_a_journal_that_is_not_ahead(
    stage, picture, disk, tmp_path
):
    """At each point: the copy keeps every promise, and the batch goes on there, bought once."""
    empty, place = disk
    before, after = tmp_path / "before", tmp_path / "after"
    for point in some_of(picture, 8, "power"):
        copy(empty, before)
        batch = stage.batch(PICTURE, place / "batch")
        with mounted(before, place):
            batch.write()
            call("sync", "--file-system", place)
            assert batch.run(die_at=point).died, point
            copy(before, after)
        with mounted(after, place):
            assert not batch.broken_by_a_death(), point
            end = batch.run()
            assert end.code == 0, (point, end.said)
            assert not batch.broken_at_the_end(), point


@pytest.mark.fault(17)
def test_every_name_is_durable_before_anything_is_built_upon_it(picture):
    """The bytes, their name, the journal's word for it, the sidecar: each synced in its turn."""
    steps = iter([point.name for point in picture])
    law = [
        "after commit SubmitStarted moon",
        f"before {POST} is written",
        "after commit Submitted moon",
        "before GET a task has a connection",
        "after commit Rendered moon",
        "before GET a result has a connection",
        f"after fsync {PART}",
        "before link moon.png",
        "after link moon.png",
        "after fsync film",
        "before commit Saved moon",
        "after commit Saved moon",
        "after fsync moon.json.tmp",
        "before link moon.json",
        "after link moon.json",
        "after fsync film",
        "before commit Sealed moon",
    ]
    missing = [step for step in law if step not in steps]
    assert not missing
