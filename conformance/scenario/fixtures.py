"""Fixtures: where the messages that scenarios send by name are found."""

from __future__ import annotations

from pathlib import Path


def message_folders(scenarios: Path) -> tuple[Path, ...]:
    """Return where messages are looked for: beside a scenario folder, then the suite's own."""
    package = Path(__file__).resolve().parent.parent
    folders = (
        scenarios.parent / "fixtures" / "messages",
        package.parent / "fixtures" / "messages",
        package / "_data" / "fixtures" / "messages",
    )
    return tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))


def message_names(scenarios: Path) -> frozenset[str]:
    """Return the names of all messages that scenarios of this folder may send."""
    return frozenset(
        path.name for folder in message_folders(scenarios) for path in folder.iterdir()
    )


def message_path(name: str, scenarios: Path) -> Path:
    """Return the file of a message. Raises FileNotFoundError.

    ``scenarios`` is the root of the scenario's tree (``conformance.scenario.load.find_root``).
    """
    if "/" not in name and "\\" not in name:
        for folder in message_folders(scenarios):
            if (folder / name).is_file():
                return folder / name
    raise FileNotFoundError(f"there is no message “{name}” in fixtures/messages/")
