"""Every kind of mistake: what is wrong, where, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario_files import HEAD, complaints

from conformance.scenario.complaints import ScenarioError
from conformance.scenario.load import load_file

REST = "steps: [rest]\n"
COVERED = "title: t\nsource: s\n"

#: Mistake → (file, complaint). HEAD has three lines, so what follows it begins in line 4.
FILES = {
    "empty file": ("", "1:1: the file is empty; a scenario begins with “title:”"),
    "not a mapping": ("- a\n", "1:1: a scenario is a mapping; begin with title: …"),
    "not YAML": (
        "title: a: b\n",
        (
            "1:9: this is not YAML: mapping values are not allowed in this context; "
            "put a text that contains “: ” in quotes"
        ),
    ),
    "percent sign": (
        "title: a\nnote: %x\n",
        (
            "2:7: this is not YAML: found character that cannot start any token; "
            "put a text that begins with %, @, ` or a tab in quotes, and indent with blanks"
        ),
    ),
    "undefined alias": (
        "title: *a\n",
        (
            "1:8: this is not YAML: found undefined alias; "
            "put a text that begins with * or & in quotes"
        ),
    ),
    "alias of itself": (
        HEAD + "steps: &a [*a]\n",
        "1:1: an alias (*name) of the file contains itself; write it out",
    ),
    "key twice": (
        HEAD + REST + "note: a\nnote: b\n",
        "6:1: the key “note” stands here twice (first in line 5)",
    ),
    "misspelt key": (
        HEAD + REST + "cover: []\n",
        "5:1: unknown key “cover”; did you mean “covers”?",
    ),
    "unknown key": (
        HEAD + REST + "zzz: 1\n",
        (
            "5:1: unknown key “zzz”; known: title, source, covers, level, requires, note, given, "
            "rows, steps"
        ),
    ),
    "id": (HEAD + REST + "id: x\n", "5:1: a scenario's id is its path; leave out “id”"),
    "no title": (
        "source: s\nlevel: beyond\n" + REST,
        "1:1: the key “title” is missing: the requirement, as a sentence",
    ),
    "no steps": (HEAD, "1:1: the key “steps” is missing: what happens, and what must come of it"),
    "covers nothing": (
        COVERED + REST,
        (
            "1:1: the scenario covers nothing; name catalogue ids, as covers: [ROUTE-001], "
            "or say level: beyond"
        ),
    ),
    "unknown id": (
        COVERED + "covers: [ROUTE-003]\n" + REST,
        "3:10: the catalogue has no “ROUTE-003”; did you mean “ROUTE-002”?",
    ),
    "id twice": (
        COVERED + "covers: [ROUTE-001, ROUTE-001]\n" + REST,
        "3:21: “ROUTE-001” stands in this list twice",
    ),
    "ids without a list": (
        HEAD + "covers: ROUTE-001\n" + REST,
        "4:9: a list of ids belongs here, not a text; write [one, two]",
    ),
    "level": (
        "title: t\nsource: s\nlevel: beyound\n" + REST,
        "3:8: “beyound” is not a level; did you mean “beyond”?",
    ),
    "capability": (
        HEAD + "requires: [colck]\n" + REST,
        "4:12: unknown capability “colck”; did you mean “clock”? (names of your own begin with x-)",
    ),
    "wrong ending": (
        "",
        "1:1: scenario files end in .yaml; call it case.yaml",
    ),
}

GIVEN = {
    "misspelt key": (
        "blacklist: [1.2.3.4]",
        "5:3: unknown key “blacklist” of given; did you mean “blacklisted”?",
    ),
    "address": (
        "addresses: [10.0.0.256]",
        "5:15: “10.0.0.256” is not an IPv4 address; write one such as 10.1.2.3",
    ),
    "no address": (
        "addresses: []",
        "5:3: the server needs an address; write addresses: [10.0.0.1]",
    ),
    "domains": (
        "domains: a.com",
        (
            "5:12: domains are a mapping or a list of names, not a text; "
            "write {mycompany.com: {accounts: [john]}} or [mycompany.com]"
        ),
    ),
    "key of a domain": (
        "domains: {a.com: {acounts: [x]}}",
        "5:21: unknown key “acounts” of a domain; did you mean “accounts”?",
    ),
    "accounts": (
        "domains: {a.com: {accounts: john}}",
        "5:31: a list of accounts belongs here, not a text; write [one, two]",
    ),
    "account with domain": (
        "domains: {a.com: {accounts: [john@a.com]}}",
        "5:32: “john@a.com” names a domain; the account stands below its domain alone",
    ),
    "account without name": (
        "domains: {a.com: {accounts: [{password: x}]}}",
        "5:32: an account needs the key “name”: the account's name, without a domain",
    ),
    "account twice": (
        "domains: {a.com: {accounts: [john, John]}}",
        "5:13: the account “john” of a.com is defined twice",
    ),
    "module": (
        "settings: {SMPT: {a: b}}",
        "5:14: unknown module “SMPT”; did you mean “SMTP”?",
    ),
    "nothing": ("router:", '5:10: a text belongs here, not nothing; write "" for the empty text'),
    "zone type": (
        "zone: |\n    a.com MX 10 b.com\n    b.com AX 10.1.1.1",
        "7:5: unknown record type “AX”; did you mean “A”?; write name TYPE data",
    ),
    "zone data": (
        "zone: |\n    a.com MX b.com",
        "6:5: an MX record has a priority and a host; write, for example, MX 10 mail.example",
    ),
    "zone address": (
        "zone: a.com A x",
        "5:9: “x” is not an address; write, for example, A 10.1.2.3",
    ),
    "zone directive": (
        "zone: $ORIGIN a.com",
        "5:9: zone directives do not exist here; write absolute names: name TYPE data",
    ),
    "fault": (
        "dns faults: {a.com: servfial}",
        "5:23: “servfial” is not a DNS fault; did you mean “servfail”?",
    ),
    "peer's reply": (
        "peers: {a.com: {address: 11.1.1.1, replies: {mail: nope}}}",
        (
            "5:54: “nope” is no reply of a peer; write a line such as “450 try later” "
            "(POP3: “-ERR in use”), or ok, hang (never answer), drop (close at once)"
        ),
    ),
    "peer's verb": (
        "peers: {a.com: {address: 11.1.1.1, replies: {mial: ok}}}",
        "5:48: a peer has no reply to “mial”; did you mean “mail”?",
    ),
    "peer's port": (
        "peers: {a.com: {address: 11.1.1.1, port: 70000}}",
        "5:44: 70000 is out of bounds: at most 65535",
    ),
    "port and ports": (
        "peers: {a.com: {address: 11.1.1.1, port: 25, ports: [26]}}",
        "5:11: the peer a.com has both “port” and “ports”; keep one of them",
    ),
    "flag": (
        "peers: {a.com: {address: 11.1.1.1, dns: nope}}",
        "5:43: “nope” is neither yes nor no",
    ),
    "peer at the server": (
        "peers: {a.com: 10.0.0.1}",
        "5:3: the peer a.com has the server's own address 10.0.0.1; give one of them another",
    ),
    "peers at one place": (
        "peers: {a.com: 11.1.1.1, b.com: 11.1.1.1}",
        (
            "5:3: the peers a.com and b.com both listen at 11.1.1.1:25; "
            "give one of them another address"
        ),
    ),
    "dedicated address": (
        "domains: {a.com: {addresses: [10.5.5.5]}}",
        (
            "5:3: 10.5.5.5 of a.com is no address of the server computer; "
            "add it: addresses: [10.0.0.1, 10.5.5.5]"
        ),
    ),
    "the DNS's address": (
        "addresses: [192.0.2.53]",
        "5:3: 192.0.2.53 is the world's DNS; give the server another address",
    ),
    "colliding addresses": (
        "peers: {a.com: 11.2.3.4, b.com: 12.2.3.4}",
        (
            "5:3: 11.2.3.4 (given) and 12.2.3.4 (given) differ in the first number alone, so both "
            "become 127.2.3.4 in the loopback plan; change another number of one of them"
        ),
    ),
    "collision with a reverse name": (
        "peers: {a.com: 11.2.3.4}\n  zone: 4.3.2.12.in-addr.arpa PTR a.com",
        (
            "5:3: 12.2.3.4 (given) and 11.2.3.4 (given) differ in the first number alone, so both "
            "become 127.2.3.4 in the loopback plan; change another number of one of them"
        ),
    ),
    "range": (
        "clients: [10.0.0.0-10.9.9.9]\n  peers: {a.com: 11.2.3.4}",
        (
            "5:3: 11.2.3.4 (given) is outside the range 10.0.0.0-10.9.9.9, but the other way round "
            "in the loopback plan, which drops the first number; "
            "choose a range within one first number, or another address"
        ),
    ),
}

#: Steps stand in line 7 and later; the peer relay.com and the account john exist.
STEPS = {
    "unknown step": (
        "- deliverd: {to: a}",
        "7:3: unknown step “deliverd”; did you mean “delivered”?",
    ),
    "two keys": (
        "- rest:\n  stop:",
        "8:3: a step is a mapping with one key; begin the next step with “- ”",
    ),
    "no value": (
        "- delivered",
        "7:3: “delivered” needs a value; write - delivered: {to: john@mycompany.com}",
    ),
    "needless value": ("- rest: now", "7:9: this step is a bare word without a value"),
    "key of a step": (
        "- delivered: {to: a@b.c, subject: x}",
        (
            "7:26: unknown key “subject” of delivered; known: to, mailbox, count, header, "
            "no header, body, return path, password, login"
        ),
    ),
    "missing key": ("- relayed: {to: a}", "7:12: relayed needs the key “host”: the peer's name"),
    "not a number": (
        "- delivered: {to: a@b.c, count: two}",
        "7:33: “two” is not a whole number; write digits alone",
    ),
    "too little": (
        "- mail: {to: a@b.c, repeat: 0}",
        "7:29: 0 is out of bounds: at least 1",
    ),
    "no recipients": ("- mail: {to: []}", "7:14: this list is empty; name at least one"),
    "regex": (
        "- log: /(a/",
        (
            "7:8: the regular expression does not compile: missing ), unterminated subpattern at "
            "position 0; write a glob, or mend what stands between the slashes"
        ),
    ),
    "duration": (
        "- wait: 30",
        "7:9: “30” is not a duration; write a number and s, m, h or d, as 30s, 10m, 2h, 5d",
    ),
    "reply": (
        "- mail: {to: a@b.c, refused: {a@b.c: nope}}",
        "7:38: “nope” is no reply; write a code and perhaps a text: 591, 5*, 550 *no*",
    ),
    "place of refusal": (
        "- mail: {to: a@b.c, refused: {at: {mial: 5*}}}",
        "7:36: unknown place “mial”; did you mean “mail”?",
    ),
    "sender of what may come back": (
        "- mail: {to: a@b.c, from: x@b.c, refused: {at: {sometime: 5*}}}",
        (
            "7:27: the account “x@b.c” is not in given; add it there, for the sender may get a "
            "report, or write “anywhere” instead of “sometime”"
        ),
    ),
    "refused stranger": (
        "- mail: {to: a@b.c, refused: a@b.d}",
        "7:30: “a@b.d” is no recipient of this mail; did you mean “a@b.c”?",
    ),
    "dictionary without quotes": (
        "- cli: {command: Get, gives: {RealName=A;}}",
        "7:30: a text belongs here, not a mapping; put a text that begins with “{” in quotes",
    ),
    "kind of data": (
        "- cli: {command: Get, shape: dict}",
        "7:30: “dict” is not a kind of data; write dictionary, array, string or request",
    ),
    "kind of data in a file": (
        "- file: {path: Settings/x, shape: request}",
        "7:35: “request” is not a kind of data; write dictionary, array or string",
    ),
    "data of a failure": (
        "- cli: {command: Get, shape: array, fails: yes}",
        "7:8: a command that fails gives no data; leave out “shape” or “fails”",
    ),
    "module": (
        "- route: {a@b.c: LOCLA john}",
        "7:18: “LOCLA” is no module; did you mean “LOCAL”?",
    ),
    "routes": (
        "- route: a@b.c",
        (
            "7:10: a mapping of addresses and routes belongs here, not a text; "
            "write {john@mycompany.com: LOCAL john}"
        ),
    ),
    "question": (
        "- dns asked: company.com",
        "7:14: “company.com” is no DNS question; write a type and a name, as MX company.com",
    ),
    "record type": (
        "- dns asked: MZ company.com",
        (
            "7:14: unknown record type “MZ”; did you mean “MX”?; "
            "write a type and a name, as MX company.com"
        ),
    ),
    "peer's name": (
        "- relayed: {host: rely.com}",
        (
            "7:19: “rely.com” is no peer of this scenario; did you mean “relay.com”?; "
            "peers stand in given"
        ),
    ),
    "new behaviour of nobody": (
        "- peer: {x: {replies: {mail: ok}}}",
        "7:10: “x” is no peer of this scenario; peers are relay.com; peers stand in given",
    ),
    "account": (
        "- mail: {to: a@b.c, as: jon@mycompany.com}",
        (
            "7:25: the account “jon@mycompany.com” is not in given; did you mean "
            "“john@mycompany.com”?; add it there, or give its “password” here"
        ),
    ),
    "fixture": (
        "- mail: {to: a@b.c, file: plane.eml}",
        "7:27: there is no “plane.eml” in fixtures/messages/; did you mean “plain.eml”?",
    ),
    "file and subject": (
        "- mail: {to: a@b.c, file: plain.eml, subject: x}",
        "7:47: the file is the whole message; leave out “subject”",
    ),
    "server address": (
        "- mail: {to: a@b.c, server: 10.0.0.7}",
        (
            "7:29: 10.0.0.7 is no address of the server computer (10.0.0.1); "
            "add it to “addresses” of given"
        ),
    ),
    "write": (
        "- write: {path: a, text: b}",
        "7:3: “write” needs a stopped server; put - stop before",
    ),
    "start": ("- start", "7:3: the server is running; “start” follows stop or kill"),
    "stopped": (
        "- stop\n- mail: {to: a@b.c}",
        "8:3: the server is stopped; put - start before “mail”",
    ),
    "stopped twice": (
        "- kill\n- stop",
        "8:3: the server is stopped; put - start before “stop”",
    ),
    "key of a dialogue": (
        "- smtp form 10.1.1.1: |\n    S: 220",
        (
            "7:3: “10.1.1.1” does not fit here; "
            "the form is smtp [NAME] [from ADDRESS] [to ADDRESS] [port N]"
        ),
    ),
    "source of a dialogue": (
        "- smtp from 10.1.1: |\n    S: 220",
        "7:3: “10.1.1” is not an IPv4 address; write one such as 10.1.2.3",
    ),
    "port of a dialogue": (
        "- smtp port x: |\n    S: 220",
        "7:3: “x” is no port; the form is smtp [NAME] [from ADDRESS] [to ADDRESS] [port N]",
    ),
    "connection never begun": (
        "- smtp bob from 10.1.1.1: |\n    S: 220\n- smtp bib: |\n    C: NOOP\n    S: 250",
        (
            "9:3: no smtp connection “bib” is open; did you mean “bob”?; "
            "begin it with smtp bib from ADDRESS"
        ),
    ),
    "connection begun twice": (
        "- smtp bob from 10.1.1.1: |\n    S: 220\n- smtp bob from 10.1.1.1: |\n    S: 220",
        "9:3: the connection “bob” is open already; go on with smtp bob",
    ),
    "folded dialogue": (
        "- smtp: >\n    S: 220",
        "7:9: “>” joins the lines of a dialogue; write “|”",
    ),
    "empty dialogue": (
        '- smtp: ""',
        "7:9: this dialogue is empty; begin with the greeting, S: …",
    ),
    "no dialogue": (
        "- smtp: [a]",
        (
            "7:9: a dialogue in a block (after “|”) belongs here, not a list; "
            "put a text that begins with “[” in quotes"
        ),
    ),
    "line of a dialogue": (
        "- smtp: |\n    S: 220\n\n    EHLO host",
        "10:5: this looks like a command; write “C: EHLO host”",
    ),
    "regex in a dialogue": (
        "- smtp: |\n    S: 220 /a(/",
        (
            "8:12: the regular expression does not compile: missing ), unterminated subpattern at "
            "position 1; write a glob, or mend what stands between the slashes"
        ),
    ),
    "dialogue that cannot match": (
        "- smtp: |\n      C: HELO a\n      S: 250",
        "8:7: the server speaks first: begin with its greeting, S: 220",
    ),
    "fixture in a dialogue": (
        "- smtp: |\n    S: 220\n    C: DATA\n    S: 354\n    <<< plain.txt",
        "11:5: there is no “plain.txt” in fixtures/messages/; did you mean “plain.eml”?",
    ),
}

ROWS = {
    "not rows": (
        "rows: {a: b}\nsteps: [rest]",
        "4:7: rows are a list of mappings; write - {name: first, key: value} for each",
    ),
    "not a row": (
        "rows: [a]\nsteps: [rest]",
        "4:8: a row is a mapping, not a text; write - name: …",
    ),
    "no name": (
        "rows: [{x: a}]\nsteps: [{wait: '{x}'}, {wait: 1s}]",
        "4:8: a row needs a “name”, unlike that of any other row",
    ),
    "name": (
        "rows: [{name: 'a[1]'}]\nsteps: [rest]",
        "4:15: a row's name is a short text without square brackets",
    ),
    "names": (
        "rows:\n- {name: a}\n- {name: a}\nsteps: [rest]",
        "6:3: two rows are called “a” (the other in line 5)",
    ),
    "missing value": (
        "rows:\n- {name: a, x: 1s}\n- {name: b, y: 1s}\nsteps: [{wait: '{x}'}, {log: '{y}'}]",
        '5:3: the row “a” has no “y”, which other rows have; for an empty text write y: ""',
    ),
    "useless value": (
        "rows:\n- {name: a, x: 1s}\nsteps: [rest]",
        "5:3: nothing uses the rows' “x”; write {x} in title, given or steps, or leave it out",
    ),
    "value in the middle": (
        "rows:\n- {name: a, x: [b]}\nsteps: [{log: 'a {x}'}]",
        "6:15: the row's value for {x} is a list, so it must stand alone, not inside a longer text",
    ),
    "bad value of one row": (
        "rows:\n- {name: a, x: 1s}\n- {name: b, x: 1}\nsteps: [{wait: '{x}'}]",
        "6:16: “1” is not a duration; write a number and s, m, h or d, as 30s, 10m, 2h, 5d (row b)",
    ),
    "mistake of all rows": (
        "rows:\n- {name: a, x: y}\n- {name: b, x: z}\nsteps: [{log: '{x}'}, {wait: 1}]",
        "7:30: “1” is not a duration; write a number and s, m, h or d, as 30s, 10m, 2h, 5d",
    ),
    "bare braces": (
        "rows:\n- {name: a, x: y}\nsteps: [{log: {x}}, {log: '{x}'}]",
        "6:15: a pattern belongs here, not a mapping; put a text that begins with “{” in quotes",
    ),
    "double keys": (
        "rows:\n- {name: a, x: y}\nsteps: [{route: {y: error, '{x}': error}}]",
        "5:16: the row makes “y” a key of this mapping twice",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_files(tmp_path: Path, case: str) -> None:
    text, complaint = FILES[case]
    name = "a/case.yml" if case == "wrong ending" else "a/case.yaml"
    assert complaints(tmp_path, text, name) == [complaint]


@pytest.mark.parametrize("case", GIVEN)
def test_given(tmp_path: Path, case: str) -> None:
    text, complaint = GIVEN[case]
    assert complaints(tmp_path, f"{HEAD}given:\n  {text}\n{REST}") == [complaint]


@pytest.mark.parametrize("case", STEPS)
def test_steps(tmp_path: Path, case: str) -> None:
    text, complaint = STEPS[case]
    given = (
        "given: {domains: {mycompany.com: {accounts: [john]}},\n  peers: {relay.com: 11.1.1.1}}\n"
    )
    assert complaints(tmp_path, f"{HEAD}{given}steps:\n{text}\n") == [complaint]


@pytest.mark.parametrize("case", ROWS)
def test_rows(tmp_path: Path, case: str) -> None:
    text, complaint = ROWS[case]
    assert complaint in complaints(tmp_path, f"{HEAD}{text}\n")


def test_all_mistakes_are_found_at_once(tmp_path: Path) -> None:
    steps = "steps:\n- wait: 1\n- smtp: |\n    S: 220\n    S: 1\n- a: b\n"
    text = f"{HEAD}given: {{addresses: [x]}}\n{steps}"
    assert [complaint.split(" ")[0] for complaint in complaints(tmp_path, text)] == [
        "4:21:",
        "6:9:",
        "9:5:",
        "10:3:",
    ]


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"title: \xff\n")
    with pytest.raises(ScenarioError, match=r"not UTF-8 \(octet 7\); save it as UTF-8"):
        load_file(path)
    with pytest.raises(ScenarioError, match="cannot be read: No such file"):
        load_file(tmp_path / "y.yaml")
