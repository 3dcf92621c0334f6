"""The pytest session of a run: collect, run, account, exit status.

Registered by :mod:`conformance.plugin` when a target is named. Under pytest-xdist it lives in every
worker, where it owns an engine, and in the controller, where it keeps the account; without, it does
both. What it attaches to pytest's reports (``mailproof_case``) is plain JSON, so that it travels.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from pathlib import Path
from typing import Any

import pytest

from conformance.run.account import Account
from conformance.run.baseline import Baseline, BaselineError
from conformance.run.client import EngineClient
from conformance.run.failure_text import failure_text
from conformance.run.items import ScenarioFile, ScenarioItem, Stage
from conformance.run.messages import EngineSettings
from conformance.run.outcome import EXIT_BROKEN, EXIT_DIFFERENCE, Outcome
from conformance.run.results import (
    Case,
    ResultsError,
    RunResult,
    case_from_json,
    case_to_json,
    save,
)
from conformance.scenario.fixtures import fixtures_folder
from conformance.scenario.load import CATALOGUE, ScenarioError, find_root, load_file
from conformance.targets.file import TargetFile, TargetFileError, load_target

SESSION = pytest.StashKey["ScenarioSession"]()
_OURS = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


def begin(config: pytest.Config, target_path: str) -> None:
    """Read target file and baseline and register the session. Raises pytest.UsageError."""
    try:
        target = load_target(target_path)
        baseline = _baseline(config, target)
    except (TargetFileError, BaselineError) as error:
        raise pytest.UsageError(str(error)) from None
    settings = EngineSettings(
        target=target,
        plan=config.getoption("--mailproof-plan") or str(config.getini("mailproof_plan")),
        strict=config.getoption("--mailproof-strict"),
        fixtures=_fixtures(config),
        bound=config.getoption("--mailproof-bound"),
    )
    session = ScenarioSession(config, settings, baseline)
    config.stash[SESSION] = session
    config.pluginmanager.register(session, "mailproof-session")


def case_of(report: object) -> Case | None:
    """Return the case that a pytest report carries, None for a report without a verdict."""
    carried = getattr(report, "mailproof_case", None)
    return case_from_json(carried) if carried is not None else None


def result_of(config: pytest.Config) -> RunResult | None:
    """Return the run's result, once the session has finished; None in an xdist worker."""
    session = config.stash.get(SESSION, None)
    return session.result if session is not None else None


def _baseline(config: pytest.Config, target: TargetFile) -> Baseline:
    named = config.getoption("--mailproof-baseline")
    if named:
        return Baseline.load(config.invocation_params.dir / named)
    in_file = str(config.getini("mailproof_baseline"))
    if in_file:
        return Baseline.load(config.rootpath / in_file)
    return Baseline.load(target.baseline) if target.baseline else Baseline()


def _named(config: pytest.Config) -> list[Path]:
    """Return the files and folders that the session was asked to collect."""
    start = config.invocation_params.dir
    return [Path(start / argument.partition("::")[0]) for argument in config.args]


def _fixtures(config: pytest.Config) -> Path:
    named = config.getoption("--mailproof-fixtures")
    if named:
        return Path(config.invocation_params.dir / named).resolve()
    for path in _named(config):
        beside = find_root(path).resolve().parent / "fixtures"
        if beside.is_dir():
            return beside
    return fixtures_folder(config.rootpath / "scenarios")


class ScenarioSession:
    """One run in one pytest process."""

    def __init__(self, config: pytest.Config, settings: EngineSettings, baseline: Baseline) -> None:
        self._config = config
        self._settings = settings
        self._baseline = baseline
        self.is_worker = hasattr(config, "workerinput")
        self.has_workers = not self.is_worker and config.getoption("dist", "no") != "no"
        self.stage = Stage(EngineClient(settings), baseline)
        self.account = Account(
            target={"name": settings.target.name}, plan=settings.plan, strict=settings.strict
        )
        self.result: RunResult | None = None
        self._facts_sent = False
        self._explicit = {path.resolve() for path in _named(config)}

    # Collecting

    def pytest_report_header(self) -> str:
        """Say what is tested."""
        strict = ", strict" if self._settings.strict else ""
        return f"mailproof: target {self._settings.target.name}, plan {self._settings.plan}{strict}"

    def pytest_collection(self) -> None:
        """Start the engine while pytest collects."""
        if not self.has_workers and not self._config.option.collectonly:
            self.stage.client.begin()

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
        """Take scenario files: those of a tree, and those named on the command line."""
        if file_path.suffix not in (".yaml", ".yml"):
            return None
        root = find_root(file_path)
        if file_path.resolve() not in self._explicit and not _is_tree(root, file_path):
            return None
        return ScenarioFile.of(parent, path=file_path, root=root, stage=self.stage)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note scenario files that do not load."""
        if report.failed and not self.is_worker:
            for sentence in str(report.longrepr).strip().splitlines():
                self.account.broke(sentence)

    # Running

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the case to the report that states its verdict."""
        report = yield
        case = item.case if isinstance(item, ScenarioItem) else None
        if case is not None and call.when == _verdict_phase(case):
            carrying: Any = report
            carrying.mailproof_case = case_to_json(case)
            if call.when == "setup" and report.failed:
                # pytest asks an item for its own words in the call only.
                carrying.longrepr = failure_text(case)
            if not self._facts_sent:
                carrying.mailproof_facts = self.stage.facts()
                self._facts_sent = True
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a verdict into the account."""
        if self.is_worker:
            return
        facts = getattr(report, "mailproof_facts", None)
        if facts:
            self.account.learn(facts["plan"], facts["target"])
        case = case_of(report)
        if case is not None:
            self.account.add(case)
        elif report.failed and ".yaml::" in report.nodeid:
            self.account.broke(f"{report.nodeid}: {str(report.longrepr).strip()}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that the run is incomplete."""
        said = str(excinfo.value)
        # pytest interrupts itself after errors of collection, which are in the account already,
        # and pytest-xdist ends -x and --maxfail so.
        collected_badly = excinfo.errisinstance(pytest.Session.Interrupted)
        if (collected_badly and self.account.is_broken) or said.startswith("stopping after"):
            return
        self.account.broke(f"the run was interrupted: {said or 'Ctrl-C'}")

    def pytest_internalerror(self, excrepr: object) -> None:
        """Note that pytest itself broke."""
        self.account.broke(f"pytest broke: {str(excrepr).strip().splitlines()[-1]}")

    # The end

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End the engine, write the result file, decide the exit status."""
        self.stage.client.close()
        if self.is_worker or self._config.option.collectonly:
            return
        self.result = self.account.close(self._baseline, _ids_below(session))
        named = self._config.getoption("--mailproof-results")
        if named:
            try:
                save(self.result, self._config.invocation_params.dir / named)
            except ResultsError as error:
                self.account.broke(str(error))
                self.result = self.account.close(self._baseline, _ids_below(session))
        status = self.result.exit_status
        if session.exitstatus in _OURS and status:
            session.exitstatus = EXIT_BROKEN if status == EXIT_BROKEN else EXIT_DIFFERENCE

    def pytest_unconfigure(self) -> None:
        """End the engine if the session never finished."""
        self.stage.client.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what pytest's own summary cannot: stale entries and what broke outside any case."""
        result = self.result
        if result is None:
            return
        for entry in result.stale:
            terminalreporter.write_line(
                f"stale baseline entry {entry.id}: {entry.reason}", red=True
            )
        for sentence in result.broken:
            terminalreporter.write_line(f"broken: {sentence}", red=True)


def _verdict_phase(case: Case) -> str:
    return "setup" if case.result.outcome is Outcome.ERROR else "call"


def _is_tree(root: Path, path: Path) -> bool:
    """Tell whether a root is marked as one of scenarios and the file is one of them."""
    relative = path.absolute().relative_to(root.absolute())
    marked = (
        root.name == "scenarios"
        or (root / CATALOGUE).is_dir()
        or (root / "scenario.schema.json").is_file()
    )
    hidden = any(part.startswith(".") for part in relative.parts)
    return marked and relative.parts[0] != CATALOGUE and not hidden


def _ids_below(session: pytest.Session) -> Any:
    """Return a function that gives the ids of the scenario file that would hold an id."""
    roots = {find_root(path) for path in _named(session.config)}
    known: dict[Path, frozenset[str]] = {}

    def ids_of(case_id: str) -> Collection[str]:
        found: set[str] = set()
        for root in roots:
            path = root / f"{case_id.partition('[')[0]}.yaml"
            if path not in known:
                known[path] = _ids_in(path)
            found |= known[path]
        return found

    return ids_of


def _ids_in(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    try:
        return frozenset(scenario.id for scenario in load_file(path))
    except ScenarioError:
        # It was not collected either, and that is what the run complains about.
        return frozenset()
