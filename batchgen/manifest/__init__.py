"""Reads a manifest: YAML, JSONL, CSV and text to checked jobs, or every mistake at its place.

    load              a path to a `Manifest`; ManifestError with all problems, nothing by halves
    outline           all but the jobs, as far as it can be read, for what is paid for already
    load_catalog      the models, with those of a user's files
    manifest_schema   a JSON Schema of the manifest
    output_folder     where its results go, wherever the command was started

The way of a manifest through the modules:

    files       regular files only, and a near name where there is none
    yaml_tree   bytes -> nodes with places, within limits (yaml_errors: libyaml in plain words)
    schema      the manifest's own keys
    tables      `jobs_from:`, line by line
    entries     one job as written
    jobs        defaults, checks, ids -> `Job` (media: local files; claims: what is there twice)
    reading     the whole way, from bytes to `Manifest`
    model       `Manifest` and `Job`
    json_schema the manifest as a JSON Schema, for editors
"""

from __future__ import annotations

from batchgen.manifest.json_schema import manifest_schema
from batchgen.manifest.model import Job, Manifest, output_folder
from batchgen.manifest.reading import load, load_catalog, outline

__all__ = ["Job", "Manifest", "load", "load_catalog", "manifest_schema", "outline", "output_folder"]
