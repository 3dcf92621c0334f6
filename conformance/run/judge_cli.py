"""Steps ``route`` and ``cli``: what the server's administrator is told."""

from __future__ import annotations

from conformance.run.certificates import request_complaint
from conformance.run.scene import Mismatch, Scene
from conformance.scenario.model import Step
from conformance.scenario.steps import CliCommand, CliStep, RouteCheck, RouteExpectation, RouteStep
from conformance.targets.dictionary import DictionaryError, Value, dump, kind_of_data, parse

_PARTS = 3
"""Route answers with module, queue and address (Guide 3.5.2, Command Line Interface)."""


async def judge_route(scene: Scene, step: Step) -> None:
    """Ask the Router for each address. Raises Mismatch."""
    value: RouteStep = step.value
    for check in value.checks:
        await _judge_address(scene, check)


async def _judge_address(scene: Scene, check: RouteCheck) -> None:
    code, text = await scene.session.cli(f"Route {dump(check.address)}")
    route = _route(text) if 200 <= code < 300 else None
    found = " ".join(route) if route else f"error {code} {text}"
    expected = check.expected
    if _meets(expected, route, text) == expected.negated:
        scene.transcript.mark_bad("cli")
        raise Mismatch(
            f"<{check.address}> is routed to {found}, expected {expected.text}",
            position=check.position,
        )


def _meets(expected: RouteExpectation, route: list[str] | None, text: str) -> bool:
    if route is None or expected.error:
        return (
            route is None
            and expected.error
            and (expected.error_text is None or expected.error_text.matches(text))
        )
    parts = (expected.module, expected.queue, expected.address)
    return all(
        pattern is None or pattern.matches(part) for pattern, part in zip(parts, route, strict=True)
    )


def _route(text: str) -> list[str]:
    """Return module, queue and address of Route's answer; what is missing is empty."""
    try:
        answer = parse(text)
    except DictionaryError as error:
        raise Mismatch(f"the answer to Route is not data: {text!r}: {error}") from None
    if not isinstance(answer, list) or not all(isinstance(part, str) for part in answer):
        raise Mismatch(f"the answer to Route is no array of strings: {text!r}")
    parts = [str(part) for part in answer]
    return (parts + [""] * _PARTS)[:_PARTS]


async def judge_cli(scene: Scene, step: Step) -> None:
    """Give each command. Raises Mismatch."""
    value: CliStep = step.value
    for command in value.commands:
        await _judge_command(scene, command)


async def _judge_command(scene: Scene, command: CliCommand) -> None:
    password = scene.password(command.account) if command.account else ""
    code, text = await scene.session.cli(command.command, user=command.account, password=password)
    complaint = _complaint(command, code, text)
    if complaint:
        scene.transcript.mark_bad(f"cli {command.account}".strip())
        raise Mismatch(f"{command.command}: {complaint}", position=command.position)


def _complaint(command: CliCommand, code: int, text: str) -> str:
    accepted = 200 <= code < 300
    if command.fails is not None:
        if accepted or not command.fails.matches(str(code), text):
            text_wanted = f" {command.fails.text.text}" if command.fails.text else ""
            wanted = command.fails.code + text_wanted
            return f"got {code} {text}, expected the refusal {wanted}"
    elif not accepted:
        return f"got {code} {text}, expected success"
    if command.gives is not None and (different := _difference(command.gives, text)):
        return different
    if command.shape == "request":
        if different := _not_requested(command, text):
            return different
    elif command.shape and (different := _misshapen(command.shape, text)):
        return different
    for pattern in command.contains:
        if not pattern.found_in(text):
            return f"the answer has nothing that is {pattern.describe()}: {text}"
    for pattern in command.lacks:
        if pattern.found_in(text):
            return f"the answer has something that is {pattern.describe()}: {text}"
    return ""


def _misshapen(shape: str, text: str) -> str:
    try:
        found = parse(text)
    except DictionaryError as error:
        return f"the answer is not data: {text!r}: {error}"
    return (
        ""
        if kind_of_data(found) == shape
        else f"gives {dump(found)}, expected data of the kind {shape}"
    )


def _not_requested(command: CliCommand, text: str) -> str:
    try:
        found = parse(text)
    except DictionaryError as error:
        return f"the answer is not data: {text!r}: {error}"
    return request_complaint(str(found), command.subject)


def _difference(expected_text: str, text: str) -> str:
    expected = parse(expected_text)
    try:
        found: Value = parse(text)
    except DictionaryError as error:
        return f"the answer is not data: {text!r}: {error}"
    return "" if found == expected else f"gives {dump(found)}, expected {dump(expected)}"
