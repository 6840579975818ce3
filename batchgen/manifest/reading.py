"""From a manifest's path to a manifest: reads, checks, and raises every problem at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from batchgen import catalog as catalogs
from batchgen.artifacts.names import folded, problem_with
from batchgen.catalog import Catalog, CatalogError, Money, Region
from batchgen.catalog.keys import Boxes, MediaList, Palette, TypedMedia, Words
from batchgen.errors import ManifestError, Mistake
from batchgen.manifest import tables, yaml_tree
from batchgen.manifest.entries import Entry, entry_of, entry_of_mapping, nowhere
from batchgen.manifest.files import NotAFile, open_regular
from batchgen.manifest.jobs import JobReader
from batchgen.manifest.media import MediaFolder
from batchgen.manifest.model import SANDBOX, Job, Manifest, folder_of
from batchgen.manifest.nodes import MappingNode, Node, place_at
from batchgen.manifest.problems import Place, Problems, quoted
from batchgen.manifest.schema import Header, Limits, header_of

_LISTS = (Boxes, MediaList, Palette, TypedMedia, Words)
"""Keys whose value is a list."""

MAX_BYTES = 100_000_000
"""Of the YAML file; tables may be of any size."""


def load(
    path: Path,
    *,
    catalog_files: Sequence[Path] = (),
    region: str | None = None,
    default_region: str | None = None,
    check_region: bool = True,
) -> Manifest:
    """Read and check a manifest.

    ``region`` wins over the manifest's own, ``default_region`` holds where it names none, and
    after that the catalog's default. Without ``check_region`` that last step is left out: where
    nobody names a region, models of all regions pass. ``catalog_files`` are files of models, from
    the current folder, that add to the package's and to those that the manifest names.

    Raises Mistake for a file that cannot be read or a region that does not exist, and
    ManifestError with all problems, in the order of their places, for a wrong manifest.
    """
    known = catalogs.load()
    for given in filter(None, (region, default_region)):
        if known.region(given) is None:
            raise Mistake(f"there is no region {given}", hint=_regions(known))
    problems = Problems()
    with _no_collection():
        root = yaml_tree.parse(_read(path), str(path), problems)
        if root is None and not problems:
            problems.add(Place(str(path), 1, 1), "the manifest is empty", "it needs `jobs:`")
        if root is None:
            raise problems.error(str(path))
        header = header_of(root, str(path), problems)
        catalog = _catalog(path, root, header, catalog_files, problems)
        reading = _Reading(path, root, header, catalog, problems)
        fallback = default_region or (catalog.default_region.name if check_region else None)
        manifest = reading.manifest(region, fallback)
    if problems:
        raise problems.error(str(path))
    return manifest


def outline(path: Path, *, catalog_files: Sequence[Path] = ()) -> Manifest:
    """Read what a manifest says besides its jobs, as far as it can be read.

    For what asks for no job by its words: a mistake in a manifest, or a manifest that has gone, is
    no reason to leave at the service what was paid for. What is wrong counts as not given, and
    stands in the ``warnings``. Raises ManifestError for a wrong file among ``catalog_files``.
    """
    problems, root = Problems(), None
    try:
        root = yaml_tree.parse(_read(path), str(path), problems)
    except Mistake as error:
        message = error.message.removeprefix(f"{path}: ")
        problems.add(Place(str(path)), message, error.hint)
    nothing = MappingNode({}, 1, 1)
    header = header_of(root or nothing, str(path), problems)
    _checked_catalog(catalog_files, Problems())
    try:
        catalog = _catalog(path, root or nothing, header, catalog_files, problems)
    except ManifestError:
        catalog = catalogs.load(*catalog_files)
    if header.region is not None and catalog.region(header.region) is None:
        header = header.model_copy(update={"region": None})
    found = _Reading(path, root or nothing, header, catalog, problems).outline()
    return replace(found, warnings=tuple(problems.error(str(path)).problems))


def load_catalog(*files: Path) -> Catalog:
    """The package's models and those of a user's files; a later file wins.

    Raises ManifestError with every problem of the files.
    """
    try:
        return _checked_catalog(files, Problems())
    except ManifestError as error:
        raise ManifestError(error.problems, "the catalog") from None


def _catalog(
    path: Path, root: Node, header: Header, more: Sequence[Path], problems: Problems
) -> Catalog:
    """The models to check against. Raises ManifestError: without them no job can be checked."""
    files = [path.parent / name for name in header.catalog or ()]
    for index, file in enumerate(files):
        try:
            open_regular(file).close()
        except NotAFile as reason:
            place = Place(str(path), *place_at(root, ("catalog", index)))
            problems.add(place, f"{quoted(file.name)}: {reason.message}", reason.hint)
            raise problems.error(str(path)) from None
    return _checked_catalog([*files, *more], problems)


def _checked_catalog(files: Sequence[Path], problems: Problems) -> Catalog:
    try:
        return catalogs.load(*files)
    except CatalogError as error:
        for problem in error.problems:
            problems.add(Place(problem.file, problem.line, problem.column), problem.message)
    raise problems.error(str(files[0]))


def _regions(catalog: Catalog) -> str:
    names = [f"{region.name} ({', '.join(region.aliases)})" for region in catalog.regions]
    return f"the regions are {', '.join(names)}"


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except NotAFile as reason:
        raise Mistake(f"{path}: {reason.message}", hint=reason.hint) from None
    except OSError as error:
        raise Mistake(f"{path}: it cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        message = f"{path}: a manifest of more than {MAX_BYTES // 1_000_000} MB"
        raise Mistake(message, hint=yaml_tree.TABLE_HINT)
    return data


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold the cyclic garbage collector: a million new nodes, none in a cycle, all looked at."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class _Reading:
    """One manifest between its document and its checked jobs."""

    path: Path
    root: Node
    header: Header
    catalog: Catalog
    problems: Problems

    def manifest(self, region: str | None, fallback: str | None) -> Manifest:
        where = self._region(region, fallback)
        budget, jobs = self._budget(where), self._jobs(where)
        warnings = self.problems.warnings(self._file)
        return replace(self.outline(), budget=budget, jobs=jobs, warnings=warnings)

    def outline(self) -> Manifest:
        """All but the jobs and what can be bought."""
        header = self.header
        limits = header.limits or Limits()
        return Manifest(
            path=self.path,
            folder=folder_of(self.path),
            name=self._name(),
            region=header.region,
            output=header.output,
            max_in_flight=limits.max_in_flight,
            queries_per_second=limits.queries_per_second,
            settle=limits.settle,
            stop_after_failures=limits.stop_after_failures,
            retry=header.retry.policy if header.retry else None,
            exclusive_account=bool(header.exclusive_account),
            budget=None,
            jobs=(),
            catalog=self.catalog,
        )

    @property
    def _file(self) -> str:
        return str(self.path)

    def _complain(self, key: str, message: str, hint: str | None = None) -> None:
        found = self.root.place_of(key) if isinstance(self.root, MappingNode) else None
        self.problems.add(Place(self._file, *(found or (1, 1))), message, hint)

    def _name(self) -> str:
        name = self.path.stem if self.header.name is None else self.header.name
        if problem := problem_with(name):
            why = problem.replace("an id", "it", 1)  # what holds for ids holds for this name
            self._complain("name", f"{quoted(name)} cannot name the output folder: {why}")
            return self.path.stem
        if folded(name) == SANDBOX:
            self._complain("name", f"`{name}` is the folder of rehearsals", "choose another `name`")
        return name

    def _region(self, flag: str | None, fallback: str | None) -> Region | None:
        own = self.header.region
        if own is not None and self.catalog.region(own) is None:
            self._complain("region", f"there is no region {quoted(own)}", _regions(self.catalog))
            own = None
        name = flag or own or fallback
        return self.catalog.region(name) if name else None

    def _budget(self, region: Region | None) -> Money | None:
        if self.header.budget is None:
            return None
        budget = self.header.budget.money
        currency = (region or self.catalog.default_region).currency
        if budget.currency != currency:
            message = f"the budget is in {budget.currency}, but the price list is in {currency}"
            self._complain("budget", message, f"give the amount in {currency}")
        return budget

    def _jobs(self, region: Region | None) -> tuple[Job, ...]:
        media = MediaFolder(folder_of(self.path))
        name = region.name if region else None
        reader = JobReader(self.catalog, name, media, self._defaults(), self.problems)
        for entry in self._entries():
            reader.add(entry)
        jobs = reader.finish()
        if not jobs and not self.problems:
            self._complain("jobs", "there are no jobs", "write them under `jobs:` or `jobs_from:`")
        return jobs

    @property
    def _text_keys(self) -> frozenset[str]:
        return self.catalog.text_keys | {"id", "model"}

    @property
    def _list_keys(self) -> frozenset[str]:
        keys = (item for model in self.catalog.models.values() for item in model.keys.items())
        return frozenset(key for key, takes in keys if isinstance(takes, _LISTS))

    def _defaults(self) -> Entry:
        if self.header.defaults is None:
            return Entry(self._file, 0, 0, {}, nowhere)
        return entry_of_mapping(self.header.defaults, self._file, self._text_keys)

    def _entries(self) -> Iterator[Entry]:
        text_keys = self._text_keys
        for node in self.header.jobs.items if self.header.jobs else ():
            if entry := entry_of(node, self._file, text_keys, self.problems):
                yield entry
        for index, name in enumerate(self.header.jobs_from or ()):
            yield from self._table(index, name)

    def _table(self, index: int, name: str) -> Iterator[Entry]:
        path = self.path.parent / name
        try:
            yield from tables.entries(
                path, self._text_keys, self.problems, list_keys=self._list_keys
            )
        except NotAFile as reason:
            place = Place(self._file, *place_at(self.root, ("jobs_from", index)))
            self.problems.add(place, f"{quoted(name)}: {reason.message}", reason.hint)
