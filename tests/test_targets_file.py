"""Target files: what a good one says, and what is said about a bad one."""

import pytest

from conformance.targets.base import SERVICE_PORTS
from conformance.targets.cli import CLITarget
from conformance.targets.file import TargetFileError, fill, load_target
from conformance.targets.kinds import make_target

GOOD = """\
name = "mine"
capabilities = ["smtp", "cli"]
[start]
command = ["{python}", "server", "--base", "{base}", "--add", "{port_offset}"]
"""


def load(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load_target(path)


def test_a_short_file_gets_the_documents_defaults(tmp_path):
    file = load(tmp_path, GOOD)
    assert (file.name, file.kind, file.capabilities) == ("mine", "cli", {"smtp", "cli"})
    assert file.plans == ("namespace", "loopback")
    assert file.login.user == "postmaster"
    assert file.files.queue == "Queue/*.msg"
    assert file.ports == SERVICE_PORTS
    assert not file.has_control


def test_a_full_file_is_taken_as_written(tmp_path):
    file = load(
        tmp_path,
        GOOD.replace('"{base}"', '"{base}", "{control}"')
        + """\
within = 3
environment = {HOME = "{base}", LANG = "C"}
[warm]
command = ["{here}/warm"]
[login]
user = "root"
password = "x"
[files]
log = "log"
[ports]
pwd = 10106
[keywords.SMTP]
"Relay to Clients" = "RelayClients"
[options]
anything = 1
""",
    )
    assert file.has_control
    assert file.start.within == 3.0
    assert file.start.environment == {"HOME": "{base}", "LANG": "C"}
    assert file.warm == ("{here}/warm",)
    assert (file.login.user, file.login.password) == ("root", "x")
    assert (file.files.log, file.files.base) == ("log", "{base}")
    assert (file.ports["pwd"], file.ports["smtp"]) == (10106, 25)
    assert file.keywords["SMTP"] == {"Relay to Clients": "RelayClients"}
    assert file.options == {"anything": 1}


def test_without_an_offset_only_the_namespace_plan_is_left(tmp_path):
    assert load(tmp_path, GOOD.replace('"{port_offset}"', '"0"')).plans == ("namespace",)


def test_the_reference_has_a_good_file(request):
    file = load_target(request.config.rootpath / "targets" / "reference.toml")
    assert file.name == "reference"
    assert file.has_control
    assert isinstance(make_target(file), CLITarget)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("name", "nmae", ':1: nmae: unknown key (did you mean "name"?)'),
        ("name =", "#", ": name: is missing"),
        ("capabilities =", "#", ": capabilities: is missing"),
        ("command =", "#", ":3: start.command: is missing: a list of words"),
        ("command", "comand", ':4: start.comand: unknown key (did you mean "command"?)'),
        (
            "{base}",
            "{bsae}",
            ':4: start.command: unknown placeholder {bsae} (did you mean "base"?)',
        ),
        ("{base}", "{x}", ":4: start.command: unknown placeholder {x}; known: {python}, {here}"),
        ('["smtp", "cli"]', '"smtp"', ":2: capabilities: must be a list of texts"),
        ('"mine"', "1", ":1: name: must be a text in quotes, not 1"),
        ("[start]", 'plans = ["lopback"]\n[start]', "not a network plan (did you mean"),
        ("[start]", 'baseline = "no.yaml"\n[start]', ":3: baseline: there is no file"),
        ("[start]", "plans = 1\n[start]", ":3: plans: must be a list of texts"),
        ("[start]", 'kind = "clj"\n[start]', "kind: 'clj' is not a kind of target (did you mean"),
        ("[start]", "ports = 1\n[start]", ":3: ports: must be a table: write [ports]"),
        (
            "[start]",
            "[ports]\nsmpt = 1\n[start]",
            ':4: ports.smpt: unknown key (did you mean "smtp"',
        ),
        ("[start]", "[ports]\nsmtp = 0\n[start]", ":4: ports.smtp: must be a number from 1"),
        ("[start]", '[login]\npassword="a"\npassword_file="b"\n[start]', "choose one"),
        ("[start]", '[login]\npassword_file="{nix}"\n[start]', "unknown placeholder {nix}"),
        ("[start]", "[keywords]\nSMTP = 1\n[start]", ":4: keywords.SMTP: must be a table"),
        ("[start]", '[keywords.SMTP]\n"A b" = 1\n[start]', ":4: keywords.SMTP.A b: must be a text"),
        ("[start]", "[start]\nwithin = 0", ":4: start.within: must be a number of seconds"),
        (
            "[start]",
            "[start]\nenvironment = {A = 1}",
            "start.environment: must be a table of texts",
        ),
        ("[start]", "[warm]\n[start]", None),
        ("[start]", "[warm]\ncommand = []\n[start]", ":4: warm.command: is empty"),
        (
            "[start]",
            "[start",
            ": not TOML: Expected ']' at the end of a table declaration (at line 3",
        ),
    ],
)
def test_a_bad_file_is_refused_with_place_and_remedy(tmp_path, old, new, complaint):
    text = GOOD.replace(old, new, 1)
    if complaint is None:
        assert load(tmp_path, text).warm == ()
        return
    with pytest.raises(TargetFileError) as caught:
        make_target(load(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path / "mine.toml"))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_loopback_plan_needs_an_offset(tmp_path):
    text = 'plans = ["loopback"]\n' + GOOD.replace('"{port_offset}"', '"0"')
    with pytest.raises(TargetFileError, match=":1: plans: the loopback plan needs"):
        load(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TargetFileError, match=r"no\.toml: there is no such target file"):
        load_target(tmp_path / "no.toml")


def test_placeholders_are_filled_wherever_they_stand():
    assert fill("{a}:{b}{a}", {"a": "1", "b": "{a}"}) == "1:{a}1"
