"""The loader: scenario files in, :class:`Scenario` values out, or everything that is wrong.

A file gives one scenario, or one a row. Whoever loads several files keeps one
:class:`ScenarioTree`, which knows what all files share: the catalogue's ids and the fixtures. The
loader never starts anything and never looks at a server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance.scenario.addresses import check_addresses
from conformance.scenario.capabilities import implied
from conformance.scenario.catalogue import scan_ids
from conformance.scenario.complaints import Complaint, Complaints, Place, ScenarioError
from conformance.scenario.embed import Embedding
from conformance.scenario.file_keys import FileHead, check_keys, read_head
from conformance.scenario.fixtures import certificate_texts, fixtures_folder, message_names
from conformance.scenario.given_keys import GIVEN
from conformance.scenario.model import DomainSpec, Given, Level, Position, Scenario
from conformance.scenario.nodes import Document, Fields, Node, RowValues, Text, parse
from conformance.scenario.rows import Row, check_values, read_rows
from conformance.scenario.step_reader import StepReader

__all__ = ["ScenarioError", "ScenarioTree", "find_root", "load_file", "load_tree"]

#: The folder of a tree that holds no scenarios.
CATALOGUE = "catalogue"


def find_root(path: Path) -> Path:
    """Return the root of the tree that a file or folder belongs to.

    It is the nearest folder upwards that holds ``catalogue/`` or ``scenario.schema.json`` or is
    called ``scenarios``; without one, the folder itself or the file's own.
    """
    start = path if path.is_dir() else path.parent
    for folder in (start, *start.absolute().parents):
        if (
            folder.name == "scenarios"
            or (folder / "scenario.schema.json").is_file()
            or (folder / CATALOGUE).is_dir()
        ):
            return folder
    return start


def load_tree(root: Path) -> list[Scenario]:
    """Return all scenarios below a folder (or of one file), by id.

    Raises ScenarioError with the complaints about all files.
    """
    if root.is_file():
        return load_file(root)
    return ScenarioTree(find_root(root)).load_below(root)


def load_file(path: Path) -> list[Scenario]:
    """Return the scenarios of one file, rows in order. Raises ScenarioError."""
    return ScenarioTree(find_root(path)).load(path)


class ScenarioTree:
    """A folder of scenarios, with what its files share."""

    def __init__(self, root: Path, fixtures: Path | None = None) -> None:
        """``fixtures`` is the folder that holds ``messages/``; None: see ``fixtures_folder``."""
        self.root = root
        self._ids = scan_ids(root / CATALOGUE)
        """Empty: the tree has no catalogue, and any id will do."""
        folder = fixtures or fixtures_folder(root)
        self._messages = message_names(folder)
        self._embedding = Embedding(certificate_texts(folder))

    def files(self, below: Path | None = None) -> Iterator[Path]:
        """Yield the scenario files, sorted; the catalogue and hidden names are left out."""
        start = below or self.root
        for path in sorted(start.rglob("*.y*ml")):
            names = path.relative_to(start).parts
            if path.parent != self.root / CATALOGUE and not any(n.startswith(".") for n in names):
                yield path

    def load_below(self, folder: Path | None = None) -> list[Scenario]:
        """Return the scenarios of all files below a folder. Raises ScenarioError."""
        scenarios: list[Scenario] = []
        complaints: list[Complaint] = []
        for path in self.files(folder):
            try:
                scenarios += self.load(path)
            except ScenarioError as error:
                complaints += error.complaints
        if complaints:
            raise ScenarioError(complaints)
        return scenarios

    def load(self, path: Path) -> list[Scenario]:
        """Return the scenarios of one file. Raises ScenarioError."""
        complaints = Complaints(path)
        scenarios: list[Scenario] = []
        rows = 1
        document = self._document(path, complaints)
        if document is not None and isinstance(document.root, Fields):
            reading = _Reading(
                self._id(path),
                document,
                document.root,
                complaints,
                self._ids,
                self._messages,
                self._embedding,
            )
            scenarios = reading.scenarios()
            rows = reading.row_count
        if len(complaints):
            raise ScenarioError(complaints.listed(rows))
        return scenarios

    def _id(self, path: Path) -> str:
        try:
            relative = path.absolute().relative_to(self.root.absolute())
        except ValueError:
            return path.stem
        return relative.with_suffix("").as_posix()

    @staticmethod
    def _document(path: Path, complaints: Complaints) -> Document | None:
        if path.suffix != ".yaml":
            complaints.add(Place(1), f"scenario files end in .yaml; call it {path.stem}.yaml")
            return None
        try:
            source = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            complaints.add(
                Place(1), f"the file is not UTF-8 (octet {error.start}); save it as UTF-8"
            )
            return None
        except OSError as error:
            complaints.add(Place(1), f"the file cannot be read: {error.strerror}")
            return None
        document = parse(source, complaints)
        if document is not None and not isinstance(document.root, Fields):
            complaints.add(document.root, "a scenario is a mapping; begin with title: …")
            return None
        return document


@dataclass
class _Reading:
    """The reading of one file."""

    id: str
    document: Document
    root: Fields
    complaints: Complaints
    known_ids: Collection[str]
    messages: Collection[str]
    embedding: Embedding
    row_count: int = 1

    def scenarios(self) -> list[Scenario]:
        root = self.root
        check_keys(root, self.complaints)
        head = read_head(root, self.known_ids, self.complaints)
        rows_node = root.get("rows")
        if rows_node is None:
            self._check_covers(head, (), root)
            scenario = self._scenario(root, head, None)
            return [scenario] if scenario else []
        rows = read_rows(rows_node, self.document, self.known_ids, self.complaints)
        self.row_count = len(rows)
        used: set[str] = set()
        made = []
        for row in rows:
            self._check_covers(head, row.covers, row.place)
            made.append(self._scenario(root, head, row, used))
        self.complaints.row = ""
        check_values(rows, used, self.complaints)
        return [scenario for scenario in made if scenario]

    def _check_covers(self, head: FileHead, more: tuple[str, ...], place: Place | Node) -> None:
        if not head.covers and not more and head.level is not Level.BEYOND:
            self.complaints.add(
                place,
                "the scenario covers nothing; name catalogue ids, as covers: [ROUTE-001], "
                "or say level: beyond",
            )

    def _scenario(
        self, root: Fields, head: FileHead, row: Row | None, used: set[str] | None = None
    ) -> Scenario | None:
        before = len(self.complaints)
        title, given_node, steps_node = (root.get(key) for key in ("title", "given", "steps"))
        if row:
            values = RowValues(row.values)
            self.complaints.row = row.name
            title, given_node, steps_node = (
                node and values.fill(node, self.complaints)
                for node in (title, given_node, steps_node)
            )
            if used is not None:
                used |= values.used
            self.complaints.row = row.name if given_node is not root.get("given") else ""
        given_node, steps_node = (
            node and self.embedding.fill(node, self.complaints) for node in (given_node, steps_node)
        )
        place = root.get("given") or root
        given = GIVEN.read(given_node, self.complaints) if given_node else _empty_given()
        self.complaints.row = row.name if row else ""
        if steps_node is None:
            return None
        steps = StepReader(given, self.messages, self.complaints).read(steps_node)
        if len(self.complaints) == before:
            check_addresses(given, steps, place, self.complaints)
        covers = dict.fromkeys((*head.covers, *(row.covers if row else ())))
        notes = (head.note, row.note if row else "")
        first = row.place if row else root
        return Scenario(
            id=f"{self.id}[{row.name}]" if row else self.id,
            title=" ".join(title.value.split()) if isinstance(title, Text) else "",
            source=head.source,
            covers=tuple(covers),
            given=given,
            steps=steps,
            position=Position(self.complaints.path, first.line, first.column),
            level=head.level,
            requires=tuple(sorted({*head.requires, *implied(given, steps)})),
            note="\n".join(note for note in notes if note),
            text=row.text if row else self.document.source,
        )


def _empty_given() -> Given:
    return Given(domains=(DomainSpec(Given().main_domain),))
