"""Keys and certificates inside settings and commands of scenarios."""

from __future__ import annotations

from pathlib import Path

from scenario_files import HEAD, complaints, load_one, tree

from conformance.scenario.steps import CliStep, TlsStep

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
TEXT = (
    HEAD
    + """\
given:
  domains:
    a.com: {settings: {Certificate: "<<certificates/a.pem>>"}}
steps:
  - cli: "UpdateDomainSettings a.com {SecureCertificate=<<certificates/a.pem>>;}"
  - tls: {port: 995, certificate: "<<certificates/a.pem>>"}
"""
)


def certificates(folder: Path) -> None:
    """Add the fixture a.pem, and a file that is none."""
    tree(folder)
    fixtures = folder / "fixtures" / "certificates"
    fixtures.mkdir()
    (fixtures / "a.pem").write_text(PEM + "\n")
    (fixtures / "make.py").write_text("what")


def test_a_mention_becomes_the_text(tmp_path: Path) -> None:
    certificates(tmp_path)
    scenario = load_one(tmp_path, TEXT)
    assert scenario.given.domains[0].settings == {"Certificate": PEM}
    commands, secured = (step.value for step in scenario.steps)
    assert isinstance(commands, CliStep)
    quoted = PEM.replace("\n", "\\e")
    assert commands.commands[0].command == (
        f'UpdateDomainSettings a.com {{SecureCertificate="{quoted}";}}'
    )
    assert isinstance(secured, TlsStep)
    assert secured.certificates == (PEM,)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    certificates(tmp_path)
    found = complaints(
        tmp_path,
        TEXT.replace(
            'port: 995, certificate: "<<certificates/a.pem',
            ('port: 995, certificate: "<<certificates/b.pem'),
        ),
    )
    assert found == [
        "9:35: there is no “certificates/b.pem” in fixtures/; did you mean “certificates/a.pem”?"
    ]
