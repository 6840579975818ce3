from __future__ import annotations

from pathlib import Path

import pytest

from batchgen.manifest import load, output_folder

JOBS = "defaults: {model: wan2.6-t2v}\njobs: [A fox]\n"


@pytest.fixture
def folder(write, tmp_path):
    """Where a manifest's results go, from the folder of the test."""

    def folder(name, text=JOBS, override=None, *, sandbox=False):
        manifest = load(write(text, name))
        found = output_folder(manifest, override, sandbox=sandbox)
        assert found.is_absolute()
        return str(found.relative_to(tmp_path))

    return folder


@pytest.mark.parametrize(
    ("name", "output", "expected"),
    [
        ("work/fox.yaml", "", "work/output/fox"),
        ("work/jobs/fox.yaml", "", "work/output/fox"),
        ("work/jobs/night/fox.yaml", "", "work/jobs/night/output/fox"),
        ("work/jobs/fox.yaml", "output: films\n", "work/jobs/films/fox"),
        ("work/jobs/fox.yaml", "output: ../films\n", "work/films/fox"),
        ("work/fox.yaml", "name: den\n", "work/output/den"),
    ],
)
def test_results_go_where_the_manifest_lies(folder, name, output, expected):
    """Beside the manifest, beside the folder called jobs, or where `output:` says."""
    assert folder(name, output + JOBS) == expected


def test_sandbox_results_are_kept_apart(folder):
    """A rehearsal never shares a folder with paid results."""
    assert folder("jobs/fox.yaml", sandbox=True) == "output/sandbox/fox"
    assert folder("fox.yaml", "output: o\n" + JOBS, sandbox=True) == "o/sandbox/fox"


def test_the_flag_wins_and_starts_from_the_current_folder(folder, tmp_path, monkeypatch):
    """`--output` beats the manifest and is relative to where the command stands."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    text = "output: films\n" + JOBS
    assert folder("jobs/fox.yaml", text, Path("there")) == "here/there/fox"
    assert folder("jobs/fox.yaml", text, Path("../there"), sandbox=True) == "there/sandbox/fox"


@pytest.mark.parametrize(
    ("stand", "named"),
    [(".", "jobs/fox.yaml"), ("jobs", "fox.yaml"), ("away", "../jobs/fox.yaml")],
)
def test_the_current_folder_does_not_matter(write, tmp_path, monkeypatch, stand, named):
    """Wherever cron stands, and however it names the manifest, the folder is the same."""
    write(JOBS, "jobs/fox.yaml")
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / stand)
    manifest = load(Path(named))
    monkeypatch.chdir(tmp_path.parent)
    assert output_folder(manifest, None, sandbox=False) == tmp_path / "output/fox"


def test_a_link_to_a_manifest_counts_where_it_stands(write, tmp_path):
    """A manifest linked into a folder called jobs is used as if it were there."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/fox.yaml").symlink_to(write(JOBS, "library/shared.yaml"))
    manifest = load(tmp_path / "jobs/fox.yaml")
    assert output_folder(manifest, None, sandbox=False) == tmp_path / "output/fox"
