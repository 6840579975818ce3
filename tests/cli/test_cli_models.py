"""What batchgen knows: the models, the schema, and files that add to them."""

from __future__ import annotations

import json

import pytest

from batchgen.catalog import load
from batchgen.cli import main
from batchgen.manifest import manifest_schema

MINE = """\
models:
  wan-next:
    like: wan2.6-t2v
    title: Wan next
    keys: {duration: {type: integer, minimum: 2, maximum: 60, default: 5}}
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A catalog file in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    return path


def test_models_are_listed_without_a_key(capsys):
    """Every model has a line; nothing is asked for."""
    assert main(["models"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in load().models)
    assert "price in Singapore" in told


def test_models_of_a_region(capsys, monkeypatch):
    """The flag beats the environment, and lists what the region serves, in its currency."""
    monkeypatch.setenv("DASHSCOPE_API_REGION", "us-east-1")
    assert main(["models", "--region", "cn-beijing", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["region"] == "beijing"
    assert all("beijing" in one["regions"] for one in told["models"])
    assert main(["models", "wan2.6-t2v-us", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {rate["price"]["currency"] for rate in told["prices"]["rates"]} == {"USD"}


@pytest.mark.parametrize("source", ["--region", "DASHSCOPE_API_REGION"])
def test_models_of_no_region(capsys, monkeypatch, source):
    """A region that does not exist is refused, whoever names it."""
    arguments = ["models"]
    if source == "--region":
        arguments += ["--region", "atlantis"]
    else:
        monkeypatch.setenv(source, "atlantis")
    assert main(arguments) == 2
    assert f"{source}: there is no region atlantis" in capsys.readouterr().err


def test_one_model_with_an_example(night, capsys):
    """All that a model takes, with a job that plans cleanly when it is pasted."""
    assert main(["models", "wan2.6-r2v"]) == 0
    told = capsys.readouterr().out
    assert "reference_urls" in told
    night.write_text("jobs:\n" + told.partition("An example job:\n")[2])
    assert main(["plan", "night.yaml"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("wan2.6-r2w", "Did you mean wan2.6-r2v?"),
        ("wan2.2-s2v-detect", "It is no job of its own: `detect: true` of wan2.2-s2v asks it."),
        ("sora", "batchgen models lists them."),
    ],
)
def test_a_model_that_does_not_exist(capsys, name, hint):
    """A misspelt name is guessed, exit code 2; a program reads it as JSON."""
    assert main(["models", name]) == 2
    told = capsys.readouterr().err
    assert f"There is no model {name}." in told
    assert hint in told
    assert main(["models", name, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["exit_code"] == 2


def test_the_schema_is_printed(capsys):
    """What goes to standard output is the schema and nothing else."""
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(manifest_schema(load())))


def test_a_catalog_file_adds_a_model(mine, night, capsys):
    """A model of the user's own is listed, completed by editors, and planned with, from a flag."""
    assert main(["models", "--catalog", "mine.yaml"]) == 0
    assert "wan-next" in capsys.readouterr().out
    assert main(["schema", "--catalog", "mine.yaml"]) == 0
    assert "wan-next" in capsys.readouterr().out
    night.write_text("jobs: [{id: fox, model: wan-next, prompt: a, duration: 60}]")
    assert main(["plan", "night.yaml"]) == 2
    assert main(["plan", "night.yaml", "--catalog", "mine.yaml"]) == 0
    assert main(["status", "night.yaml", "--catalog", "mine.yaml"]) == 0


def test_a_catalog_file_in_the_manifest(mine, tmp_path, night, capsys):
    """The manifest names it relative to itself; the flag's file wins over it."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "base.yaml").write_text(MINE)
    night.write_text(
        "catalog: models/base.yaml\n"
        "jobs: [{id: fox, model: wan-next, prompt: a, duration: 60, size: 1280*720}]"
    )
    assert main(["plan", "night.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["to_spend"] == [{"amount": 6.0, "currency": "USD"}]
    mine.write_text(MINE.replace("60", "20"))
    assert main(["plan", "night.yaml", "--catalog", "mine.yaml"]) == 2
    assert "must be from 2 to 20, not 60" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["models"], ["schema"], ["plan", "night.yaml"]])
def test_a_wrong_catalog_file_is_told_at_its_place(mine, night, capsys, command):
    """A mistake in it has a file, a line and a column, like one in a manifest."""
    mine.write_text(MINE.replace("like: wan2.6-t2v", "like: wan2.6-t2w"))
    assert main([*command, "--catalog", "mine.yaml"]) == 2
    told = capsys.readouterr().err
    assert "mine.yaml:3:5: " in told
    assert "wan2.6-t2v" in told


@pytest.fixture
def warned(night):
    """A manifest with something that nothing checks."""
    night.write_text(
        "jobs:\n- id: fox\n  model: wan2.6-t2v\n  prompt: a\n  extra_parameters: {fps: 60}\n"
    )
    return "night.yaml:5:3: nothing checks extra_parameters"


def test_warnings_go_to_standard_error(warned, capsys):
    """What nothing checks is said before it is paid for, and changes no exit code."""
    assert main(["plan", "night.yaml"]) == 0
    told = capsys.readouterr()
    assert f"warning: {warned}" in told.err
    assert warned not in told.out
    assert main(["plan", "night.yaml", "--json"]) == 0
    (warning,) = json.loads(capsys.readouterr().out)["warnings"]
    assert (warning["line"], warning["column"]) == (5, 3)


def test_warnings_are_told_beside_mistakes(warned, tmp_path, night, capsys):
    """One manifest is wrong and another may lose something: both are heard of at once."""
    night.write_text(night.read_text() + "- {id: b, model: wan2.6-t2v, prompt: x, duration: 99}\n")
    (tmp_path / "other.yaml").write_text(night.read_text().partition("- {id: b")[0])
    assert main(["run", "night.yaml", str(tmp_path / "other.yaml")]) == 2
    mistake, *warnings, ending = capsys.readouterr().err.splitlines()
    assert mistake.startswith("night.yaml:6:")
    assert warnings[0].startswith(f"warning: {warned}")
    assert "other.yaml:5:3: nothing checks" in warnings[1]
    assert ending.startswith("1 problem in the manifest; nothing was sent")


def test_a_run_warns_unless_it_is_quiet(warned, capsys):
    """The run says it as well, before it needs a key; under cron it is silent."""
    assert main(["run", "night.yaml"]) == 2
    assert f"warning: {warned}" in capsys.readouterr().err
    assert main(["run", "night.yaml", "--quiet"]) == 2
    assert warned not in capsys.readouterr().err


def test_what_a_list_of_media_takes_together_is_told(capsys):
    """Combinations, counts and lengths of all together, as they are checked."""
    assert main(["models", "wan2.7-i2v"]) == 0
    assert "first_frame + last_frame + driving_audio" in capsys.readouterr().out
    assert main(["models", "wan3.0-video"]) == 0
    told = capsys.readouterr().out
    assert "up to 5 of it, 15 seconds together, 30 seconds together with the result" in told
    assert "no file with link" in told
    assert "a last_frame only with a first_frame" in told
    assert main(["models", "wan2.7-r2v"]) == 0
    told = capsys.readouterr().out
    assert "1 to 5 of reference_image or reference_video" in told
    assert "may have a reference_voice" in told
