"""Loading: values as typed, positions, rows, connections, implied capabilities."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenario_files import HEAD, load, load_one, tree

from conformance.scenario.capabilities import CAPABILITIES
from conformance.scenario.complaints import Complaints, ScenarioError
from conformance.scenario.dialogue import Expect, Send
from conformance.scenario.dialogue_reader import PROTOCOLS
from conformance.scenario.file_keys import FILE_KEYS
from conformance.scenario.fixtures import fixtures_folder, message_names
from conformance.scenario.given_keys import DOMAIN_KEYS, GIVEN_KEYS, PEER_KEYS
from conformance.scenario.load import ScenarioTree, find_root, load_file, load_tree
from conformance.scenario.model import Level
from conformance.scenario.nodes import Fields, Items, Node, RowValues, Text
from conformance.scenario.nodes import parse as parse_yaml
from conformance.scenario.patterns import Pattern
from conformance.scenario.step_keys import STEP_KINDS
from conformance.scenario.steps import (
    CliStep,
    DeliveredStep,
    DialogueStep,
    DnsAskedStep,
    FileStep,
    HeaderCheck,
    LogStep,
    MailStep,
    NotRelayedStep,
    PeerStep,
    ProcessAction,
    ProcessStep,
    Refusal,
    RelayedStep,
    ReplyPattern,
    RestStep,
    RouteStep,
    WaitStep,
)

SMTP = """\
steps:
  - smtp: |
      S: 220
      C: QUIT
      S: 221
"""


def test_the_least_scenario(tmp_path: Path) -> None:
    scenario = load_one(tmp_path, HEAD + SMTP)
    assert scenario.id == "chapter/case"
    assert scenario.chapter == "chapter"
    assert scenario.level is Level.BEYOND
    assert scenario.requires == ("smtp",)
    assert scenario.given.main_domain == "mycompany.com"
    assert scenario.given.addresses == ("10.0.0.1",)
    assert [domain.name for domain in scenario.given.domains] == ["mycompany.com"]
    assert scenario.text == HEAD + SMTP


def test_every_line_of_a_dialogue_knows_its_line(tmp_path: Path) -> None:
    scenario = load_one(tmp_path, HEAD + SMTP)
    (step,) = scenario.steps
    assert str(step.position).endswith("chapter/case.yaml:5:5")
    assert step.value.events == (Expect(6, "220"), Send(7, "QUIT"), Expect(8, "221"))


def test_values_are_what_was_typed(tmp_path: Path) -> None:
    settings_line = "{SMTP: {a: no, b: off, c: 010, d: 12:30, e: [yes, ~], f: {g: 1.0}, h: }}"
    scenario = load_one(tmp_path, f"{HEAD}given:\n  settings: {settings_line}\n{SMTP}")
    assert scenario.given.settings["SMTP"] == {
        "a": "no",
        "b": "off",
        "c": "010",
        "d": "12:30",
        "e": ("yes", "~"),
        "f": {"g": "1.0"},
        "h": "",
    }


GIVEN = """\
given:
  addresses: [10.0.0.1, 10.0.0.2]
  main domain: b.com
  domains:
    a.com:
      accounts:
        - john
        - {name: bill, password: x, aliases: [b], settings: {RealName: 1}, rights: [All]}
      forwarders: {f: g@h.com}
      lists: {l: , m: {owner: john, subscribers: [a@b.c]}}
      addresses: [10.0.0.2]
    b.com:
  router: |
    <a> = b
  clients: |
    10.1.1.1
    10.2.2.0-10.2.2.9 ; ours
  blacklisted: [10.3.3.3]
  client names: ["*.edu"]
  zone: |
    ; remark
    a.com 60 MX 10 mail.a.com
  dns faults: {bad.com: servfail}
  peers:
    one.com: 11.4.1.1
    two.com:
      address: 11.4.2.2
      ports: [25, 26]
      replies: {MAIL: 450 later, x@y.z: [550 no, ok]}
      extensions: []
      certificate: expired
      dns: no
"""


def test_all_of_given(tmp_path: Path) -> None:
    scenario = load_one(tmp_path, HEAD + GIVEN + SMTP)
    world = scenario.given
    assert [domain.name for domain in world.domains] == ["b.com", "a.com"]
    john, bill = world.domains[1].accounts
    assert (john.name, john.password) == ("john", "secret")
    assert (bill.password, bill.aliases, bill.rights) == ("x", ("b",), ("All",))
    assert bill.settings == {"RealName": "1"}
    assert [(one.name, one.owner) for one in world.domains[1].lists] == [
        ("l", "postmaster"),
        ("m", "john"),
    ]
    assert world.router == "<a> = b\n"
    assert world.clients == ("10.1.1.1", "10.2.2.0-10.2.2.9 ; ours")
    assert world.client_names == ("*.edu",)
    assert world.dns_faults == {"bad.com": "servfail"}
    one, two = world.peers
    assert (one.address, one.ports, one.certificate, one.dns) == ("11.4.1.1", (25,), "", True)
    assert two.replies == {"mail": ("450 later",), "x@y.z": ("550 no", "ok")}
    assert (two.ports, two.extensions, two.certificate, two.dns) == ((25, 26), (), "expired", False)
    assert scenario.requires == (
        "blacklist",
        "client-names",
        "forwarders",
        "lists",
        "router",
        "smtp",
        "tls",
    )


STEPS = """\
given:
  domains: {mycompany.com: {accounts: [john]}}
  peers: {relay.com: 11.1.1.1, other.com: 11.2.2.2}
steps:
  - mail:
      to: [a@b.c, d@e.f]
      from: <>
      as: john@mycompany.com
      refused: {d@e.f: 550 *no*, at: {mail: 5*}}
  - mail: {to: [a@b.c, d@e.f], refused: all, repeat: 2}
  - route: [{a@b.c: not SMTP relay.com}, {d: error *loop*}]
  - cli:
      - ListDomains
      - {command: Route "a", as: john, gives: '("a")', lacks: [x, /y/]}
      - {command: Bad, fails: 5* *no*}
  - delivered:
      to: john@mycompany.com
      count: 2
      header: {Subject: [a*, "*b"]}
      no header: [X, {Y: z}]
      return path: <>
  - relayed: {host: relay.com, to: a@b.c, from: <>, port: 25, connections: 1, source: 10.0.0.1}
  - not relayed: nobody
  - not relayed: [relay.com]
  - dns asked: [mx B.com., {question: A b.com, count: 2}]
  - not log: "*error*"
  - file: {path: Queue/*.msg, count: 0}
  - wait: 1d 2h
  - peer: {relay.com: {replies: {connect: drop}}}
  - peer: {relay.com: {certificate: good}}
  - kill
  - start
  - rest:
"""


def test_all_of_steps(tmp_path: Path) -> None:
    scenario = load_one(tmp_path, HEAD + STEPS)
    values = [step.value for step in scenario.steps]
    first, second, route, cli, delivered, relayed, nobody, not_relay = values[:8]
    assert isinstance(first, MailStep)
    assert (first.sender, first.account) == ("", "john@mycompany.com")
    assert first.refused == (
        Refusal("rcpt", "d@e.f", ReplyPattern("550", Pattern("*no*"))),
        Refusal("mail", "", ReplyPattern("5*")),
    )
    assert isinstance(second, MailStep)
    assert [one.recipient for one in second.refused] == ["a@b.c", "d@e.f"]
    assert isinstance(route, RouteStep)
    smtp, loop = (check.expected for check in route.checks)
    assert (smtp.negated, smtp.module, smtp.queue, smtp.address) == (
        True,
        Pattern("SMTP"),
        Pattern("relay.com"),
        None,
    )
    assert (loop.error, loop.error_text) == (True, Pattern("*loop*"))
    assert isinstance(cli, CliStep)
    listing, routing, bad = cli.commands
    assert listing.command == "ListDomains"
    assert (routing.account, routing.gives, routing.lacks) == (
        "john",
        '("a")',
        (Pattern("x"), Pattern("/y/")),
    )
    assert bad.fails is not None
    assert bad.fails.matches("501", "oh no, no")
    assert isinstance(delivered, DeliveredStep)
    assert delivered.header == (
        HeaderCheck("Subject", Pattern("a*")),
        HeaderCheck("Subject", Pattern("*b")),
    )
    assert delivered.no_header == (HeaderCheck("X"), HeaderCheck("Y", Pattern("z")))
    assert delivered.return_path == Pattern("<>")
    assert isinstance(relayed, RelayedStep)
    assert (relayed.to, relayed.sender) == ((Pattern("a@b.c"),), Pattern("<>"))
    assert nobody == NotRelayedStep(())
    assert not_relay == NotRelayedStep(("relay.com",))


def test_the_rest_of_steps(tmp_path: Path) -> None:
    values = [step.value for step in load_one(tmp_path, HEAD + STEPS).steps]
    asked, log, file, wait, first_peer, second_peer, kill, start, rest = values[8:]
    assert isinstance(asked, DnsAskedStep)
    assert [(q.type, q.name, q.count) for q in asked.questions] == [
        ("MX", "b.com", None),
        ("A", "b.com", 2),
    ]
    assert log == LogStep((Pattern("*error*"),), negated=True)
    assert file == FileStep("Queue/*.msg", count=0)
    assert wait == WaitStep(26 * 3600)
    assert isinstance(first_peer, PeerStep)
    assert isinstance(second_peer, PeerStep)
    assert second_peer.peers[0].replies == {"connect": ("drop",)}, "what is left out stays"
    assert second_peer.peers[0].certificate == "good"
    assert first_peer.peers[0].address == "11.1.1.1"
    assert kill == ProcessStep(ProcessAction.KILL)
    assert start == ProcessStep(ProcessAction.START)
    assert rest == RestStep()


def test_steps_imply_capabilities(tmp_path: Path) -> None:
    assert load_one(tmp_path, HEAD + "requires: mobile\n" + STEPS).requires == (
        "cli",
        "clock",
        "files",
        "kill",
        "log",
        "mobile",
        "pop",
        "route",
        "smtp",
        "tls",
    )


@pytest.mark.parametrize(
    ("steps", "needs"),
    [
        ("  - delivered: {to: a@b.c, mailbox: x}", ("imap",)),
        ("  - bounced: {to: a@b.c}", ("pop",)),
        ("  - stop\n  - start", ("restart",)),
        ("  - kill\n  - start\n  - restart", ("kill", "restart")),
        ("  - pwd: |\n      S: 200", ("cli",)),
        ("  - imap from 10.9.9.9 port 993: |\n      --- tls\n      S: * OK", ("imap", "tls")),
        ("  - rest", ()),
        ("  - queued: 0", ("queue",)),
        ("  - file: {path: a}", ("files",)),
        ("  - route: {a@b.c: LOCAL}", ("route",)),
        ("  - settings: {SMTP: {Log: 1}}", ("settings",)),
        ("  - dns asked: A b.c", ()),
    ],
)
def test_each_kind_implies_its_capability(
    tmp_path: Path, steps: str, needs: tuple[str, ...]
) -> None:
    assert load_one(tmp_path, f"{HEAD}steps:\n{steps}\n").requires == needs


CONNECTIONS = """\
steps:
  - smtp alice from 10.1.1.1: |
      S: 220 /(?P<id>\\d+)/
  - smtp bob from 10.2.2.2 port 26: |
      S: 220
      C: HELO $id
      S: 250
  - smtp alice: |
      C: QUIT
      S: 221
  - smtp alice from 10.3.3.3: |
      S: 220
"""


def test_named_connections_go_on(tmp_path: Path) -> None:
    steps = load_one(tmp_path, HEAD + CONNECTIONS).steps
    dialogues = [step.value for step in steps if isinstance(step.value, DialogueStep)]
    assert [(d.connection, d.opens, d.source, d.port) for d in dialogues] == [
        ("alice", True, "10.1.1.1", None),
        ("bob", True, "10.2.2.2", 26),
        ("alice", False, "192.0.2.1", None),
        ("alice", True, "10.3.3.3", None),
    ]


ROWS = """\
title: "Mail to {to}"
source: Guide > Chapter
covers: [ROUTE-001]
note: of the file
given: {domains: [a.com]}
rows:
  - {name: one, to: [x@a.com, y@a.com], lines: "C: EHLO a\\nS: 250"}
  - name: two
    to: z@a.com
    covers: [ROUTE-002]
    note: of the row
    lines: "C: NOOP\\nS: 2*"
steps:
  - mail: {to: "{to}"}
  - smtp: |
      S: 220 {to=x}
      {lines}
      C: QUIT
      S: 221
"""


def test_a_row_is_a_scenario(tmp_path: Path) -> None:
    text = ROWS.replace("Mail to {to}", "Mail: {name}")
    one, two = load(tmp_path, text)
    assert (one.id, one.title) == ("chapter/case[one]", "Mail: one")
    assert (one.covers, one.note) == (("ROUTE-001",), "of the file")
    assert (two.covers, two.note) == (("ROUTE-001", "ROUTE-002"), "of the file\nof the row")
    assert isinstance(one.steps[0].value, MailStep)
    assert one.steps[0].value.to == ("x@a.com", "y@a.com")
    assert isinstance(two.steps[0].value, MailStep)
    assert two.steps[0].value.to == ("z@a.com",)
    assert (one.position.line, two.position.line) == (7, 8)
    kept = [line for n, line in enumerate(text.split("\n"), 1) if n not in range(8, 13)]
    assert one.text == "\n".join(kept)
    assert "name: one" not in two.text
    assert "{lines}" in two.text


def test_lines_that_a_row_brings_have_the_line_of_their_place(tmp_path: Path) -> None:
    one, _ = load(tmp_path, ROWS.replace("Mail to {to}", "Mail: {name}"))
    assert isinstance(one.steps[1].value, DialogueStep)
    assert one.steps[1].value.events == (
        Expect(16, "220", Pattern("{to=x}")),
        Send(17, "EHLO a"),
        Expect(17, "250"),
        Send(18, "QUIT"),
        Expect(19, "221"),
    )


def test_scenarios_can_be_sent_to_another_process(tmp_path: Path) -> None:
    scenario = load_one(tmp_path, HEAD + GIVEN + SMTP)
    assert pickle.loads(pickle.dumps(scenario)) == scenario
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, "x: 1")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.complaints == caught.value.complaints


def test_a_tree_is_loaded_in_order_and_complains_of_all_files(tmp_path: Path) -> None:
    its_tree = tree(tmp_path)
    for name in ("b/two", "a/one", ".hidden/no"):
        path = its_tree.root / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEAD + SMTP)
    assert [one.id for one in load_tree(its_tree.root)] == ["a/one", "b/two"]
    assert [one.id for one in load_tree(its_tree.root / "b")] == ["b/two"]
    assert [one.id for one in load_tree(its_tree.root / "b" / "two.yaml")] == ["b/two"]
    (its_tree.root / "a" / "one.yaml").write_text("x: 1")
    (its_tree.root / "b" / "three.yml").write_text(HEAD + SMTP)
    with pytest.raises(ScenarioError) as caught:
        load_tree(its_tree.root)
    assert {one.position.path.name for one in caught.value.complaints} == {"one.yaml", "three.yml"}


def test_the_root_is_found_from_any_file_of_the_tree(tmp_path: Path) -> None:
    its_tree = tree(tmp_path)
    deep = its_tree.root / "a" / "b"
    deep.mkdir(parents=True)
    assert find_root(deep / "x.yaml") == its_tree.root
    elsewhere = tmp_path / "else"
    elsewhere.mkdir()
    (elsewhere / "x.yaml").write_text(HEAD + SMTP)
    assert [one.id for one in load_file(elsewhere / "x.yaml")] == ["x"]
    assert ScenarioTree(elsewhere).load_below()[0].covers == ()


NAMES = st.sampled_from(["a", "b", "long name", "x-y"])
VALUES = st.dictionaries(NAMES, st.text("ab{}\n ", max_size=6), min_size=1)


@given(VALUES, st.lists(st.one_of(NAMES.map("{{{}}}".format), st.text("ab{} \n", max_size=4))))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_rows_replace_just_their_own_keys(values: dict[str, str], pieces: list[str]) -> None:
    template = "|" + "".join(pieces)
    expected, at = "", 0
    while at < len(template):
        for name, value in values.items():
            if template.startswith("{" + name + "}", at):
                expected += value
                at += len(name) + 2
                break
        else:
            expected += template[at]
            at += 1
    row = RowValues({name: Text(value, 1, 1, '"') for name, value in values.items()})
    filled = row.fill(Text(template, 5, 1, "|", 2), Complaints(Path("x")))
    assert isinstance(filled, Text)
    assert filled.value == expected
    lines = expected.count("\n") + 1
    places = [filled.place(number).line for number in range(lines)]
    assert places == sorted(places)
    assert places[-1] == 6 + template.count("\n"), "the last line is the template's last"


YAML = st.recursive(
    st.text("ab :{}[]'\"#\n", max_size=6),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


def plain(node: Node) -> object:
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    assert isinstance(node, Fields)
    return {key.value: plain(value) for key, value in node.pairs}


@given(YAML)
def test_any_yaml_is_read_as_it_was_written(value: object) -> None:
    complaints = Complaints(Path("x"))
    document = parse_yaml(yaml.safe_dump(value, default_style='"'), complaints)
    assert document is not None
    assert len(complaints) == 0
    assert plain(document.root) == value


def test_messages_stand_beside_the_tree_or_are_the_suites_own(tmp_path: Path) -> None:
    root = tmp_path / "scenarios"
    root.mkdir()
    own = fixtures_folder(root)
    assert (own / "messages" / "plain.eml").is_file()
    assert own.parent != tmp_path
    (tmp_path / "fixtures").mkdir()
    assert fixtures_folder(root) == tmp_path / "fixtures"
    assert message_names(tmp_path / "fixtures") == frozenset()


def test_the_example_of_the_documentation_is_a_scenario(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    text = (root / "docs" / "scenarios.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n", 1)[1].split("```", 1)[0]
    covers = "covers: [BLACKDLG-009, BLACKDLG-013]"
    assert covers in example
    scenario = load_one(tmp_path, example.replace(covers, "covers: [ROUTE-001]"))
    assert scenario.requires == ("blacklist", "pop", "router", "smtp")
    assert [step.kind for step in scenario.steps] == ["smtp", "delivered"]


@pytest.mark.parametrize("name", ["Keys of a file", "given", "Steps", "Capabilities"])
def test_the_documentation_names_every_key(name: str) -> None:
    root = Path(__file__).resolve().parent.parent
    text = (root / "docs" / "scenarios.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    keys = {
        "Keys of a file": set(FILE_KEYS),
        "given": {key.name for key in (*GIVEN_KEYS, *DOMAIN_KEYS, *PEER_KEYS)},
        "Steps": {*STEP_KINDS, *PROTOCOLS, "peer"},
        "Capabilities": set(CAPABILITIES),
    }[name]
    words = set(re.findall(r"[`,] ?([a-z][a-z -]*[a-z])\b", section))
    assert keys - words == set()
