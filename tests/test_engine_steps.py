"""Each kind of step, met and not met, against the toy server over real sockets."""

import pytest
from engine_kit import client, scenario, toy_target

from conformance.run.outcome import Outcome

GIVEN = """\
given:
  domains: {mycompany.com: {accounts: [postmaster, john]}}
  peers: {relay.com: 11.22.33.44, slow.com: {address: 11.22.33.55, replies: {mail: hang}}}
"""
MAIL = "  - mail: {to: john@mycompany.com, subject: hello, body: a body}\n"
RELAY = "  - mail: {from: john@mycompany.com, to: a@relay.com}\n"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with client(toy_target(tmp_path_factory.mktemp("toy"), warm=True)) as made:
        yield made


def run(engine, folder, steps, given=GIVEN):
    return engine.run(scenario(folder, f"{given}steps:\n{steps}"))


MET = {
    "dialogue": """\
  - smtp one from 10.1.1.1: |
      S: 220
      C: EHLO host
      S: 250 toy
      S+ SIZE *
      S- STARTTLS*
  - smtp one: |
      # goes on
      C: QUIT
      S: 221
      --- close
""",
    "variables": """\
  - smtp: |
      S: 220 /(?P<first>\\w+) ready/
      C: EHLO $first
      S: 250 /(?P<first>\\w+)/
      --- drop
""",
    "connections": """\
  - smtp port 24: |
      --- refused
  - smtp port 24: |
      # nobody is there
      --- turned away
  - smtp: |
      S: 220
      C: EHLO host
      S: 250
      --- silence
      C: QUIT
      S: 221
""",
    "pop": """\
  - pop: |
      S: +OK
      C: USER john
      S: +OK
      C: PASS secret
      S: +OK
      C: QUIT
      S: +OK
""",
    "pwd": """\
  - pwd: |
      S: 200
      C: USER postmaster
      S: 300
      C: PASS wrong
      S: 515
      --- drop
""",
    "mail refused": """\
  - mail: {to: [john@mycompany.com, x@mycompany.com], refused: {x@mycompany.com: 550}}
""",
    "settings": "  - settings: {SMTP: {ErrorLimit: 3}}\n",
    "mail refused anywhere": """\
  - mail: {to: x@mycompany.com, refused: {at: {anywhere: 550}}}
""",
    "mail refused at once or later": """\
  - mail: {from: john@mycompany.com, to: x@mycompany.com, refused: {at: {sometime: 5*}}}
  - bounced: {to: john@mycompany.com, count: 0}
  - mail: {from: john@mycompany.com, to: a@nowhere.com, repeat: 2, refused: {at: {sometime: 5*}}}
  - bounced: {to: john@mycompany.com, count: 2}
""",
    "route": """\
  - route: {john@mycompany.com: LOCAL john, a@relay.com: not LOCAL, x@mycompany.com: error}
""",
    "cli": """\
  - cli:
      - INLINE
      - {command: "Echo (a, \\"b\\")", gives: "( \\"a\\" ,b )", contains: a, lacks: z}
      - {command: Route x@mycompany.com, fails: 501 *unknown*}
      - {command: Echo yes, as: john@mycompany.com, gives: "yes"}
""",
    "delivered": MAIL
    + "  - delivered: {to: john@mycompany.com, header: {Subject: hello}, body: a body,"
    " no header: {X-Odd: '*'}, return path: stranger@*}\n",
    "not delivered": "  - not delivered: [john@mycompany.com]\n",
    "relayed": RELAY
    + "  - relayed: {host: relay.com, to: a@relay.com, from: john@*, port: 25, connections: 1,"
    " source: 10.0.0.1}\n",
    "not relayed": "  - not relayed: nobody\n",
    "queued": "  - mail: {to: a@slow.com}\n  - queued: {messages: 1}\n",
    "bounced": """\
  - mail: {from: john@mycompany.com, to: a@nowhere.com}
  - bounced: {to: john@mycompany.com, recipient: a@nowhere.com, status: 5.*, action: failed}
  - bounced: {to: john@mycompany.com, recipients: b@nowhere.com, count: 0}
""",
    "dns asked": RELAY + "  - dns asked: A relay.com\n  - dns not asked: MX *\n",
    "log": MAIL + "  - log: '*got MAIL FROM*'\n  - not log: '*crash*'\n",
    "file": "  - file: {path: 'Accounts/*/account.settings', dictionary: '{Password=first;}', "
    "shape: dictionary, contains: first, lacks: last, matches: '{Pass*'}\n",
    "write": "  - stop\n  - write: {path: Settings/x.txt, text: hello}\n  - start\n"
    "  - file: {path: Settings/x.txt, is text: hello}\n",
    "wait": "  - peer: {relay.com: {replies: {mail: 450 later}}}\n"
    + RELAY
    + "  - not relayed: relay.com\n  - peer: {relay.com: {replies: {mail: ok}}}\n  - wait: 30m\n"
    "  - relayed: {host: relay.com, to: a@relay.com}\n",
    "rest": "  - rest\n",
    "restart": MAIL + "  - restart\n  - delivered: {to: john@mycompany.com}\n",
    "kill": MAIL + "  - kill\n  - start\n  - delivered: {to: john@mycompany.com}\n",
    "zone": "  - zone: moved.com A 11.22.33.44\n  - mail: {to: a@moved.com}\n"
    "  - relayed: {host: relay.com, to: a@moved.com}\n",
    "shutdown": "  - cli: Shutdown\n  - stop\n  - start\n  - mail: {to: john@mycompany.com}\n",
}


@pytest.mark.parametrize("kind", MET)
def test_a_step_that_is_met_passes(engine, tmp_path, kind):
    result = run(engine, tmp_path, MET[kind])
    assert (result.outcome, result.reason) == (Outcome.PASSED, "")
    assert not any(line.bad for line in result.transcript)


MET["peers"] = (
    RELAY
    + """\
  - mail: {from: john@mycompany.com, to: a@slow.com}
  - relayed: {host: relay.com, tls: no}
  - connected: {host: [relay.com, slow.com], count: 2, open: 1}
  - connected: {host: all, count: 2}
  - connected: {host: relay.com, peak: 1, open: 0}
  - heard: {host: relay.com, contains: ["MAIL FROM:*", QUIT], lacks: [STARTTLS, "Subject:*"]}
  - heard: {host: slow.com, connection: 1, tls: no, lines: ["*LO *", "MAIL FROM:*"]}
  - heard: {host: slow.com, tls: yes, lines: []}
  - peer: {slow.com: {replies: {}}}
  - relayed: {host: slow.com, to: a@slow.com}
"""
)
UNMET = {
    "connections": (
        RELAY + "  - connected: {host: relay.com, count: 2}\n",
        "relay.com: 1 connections in all, expected 2",
    ),
    "connections now": (
        RELAY + "  - connected: {host: [relay.com, slow.com], open: 1}\n",
        "relay.com, slow.com: 0 connections open, expected 1",
    ),
    "connections at a time": (
        RELAY + "  - connected: {host: all, peak: 3}\n",
        "relay.com, slow.com: 1 connections at a time, expected 3",
    ),
    "heard": (
        RELAY + "  - heard: {host: relay.com, contains: STARTTLS}\n",
        "relay.com never heard",
    ),
    "not heard": (
        RELAY + "  - heard: {host: relay.com, lacks: 'MAIL*'}\n",
        "relay.com heard “MAIL FROM:<john@mycompany.com>”, expected nothing like",
    ),
    "heard in order": (
        RELAY + "  - heard: {host: relay.com, lines: ['*', STARTTLS]}\n",
        "relay.com heard “MAIL FROM:<john@mycompany.com>”, expected",
    ),
    "heard more": (
        RELAY + "  - heard: {host: relay.com, lines: ['*']}\n",
        "relay.com heard “MAIL FROM:<john@mycompany.com>”, expected nothing more",
    ),
    "heard less": (
        RELAY + "  - heard: {host: slow.com, lines: ['*']}\n",
        "slow.com heard nothing more, expected",
    ),
    "relayed in the clear": (
        RELAY + "  - relayed: {host: relay.com, tls: yes}\n",
        "it came in the clear",
    ),
    "relayed without a login": (
        RELAY + "  - relayed: {host: relay.com, login: john}\n",
        "it came without a login",
    ),
    "code": (
        "  - smtp: |\n      S: 220\n      C: EHLO host\n      S: 500\n",
        "EHLO host got 250 toy, expected 500",
    ),
    "text": (
        "  - smtp: |\n      S: 220 welcome*\n",
        "the connection got 220 toy ready, expected a text that is matches welcome*",
    ),
    "line": (
        "  - smtp: |\n      S: 220\n      C: EHLO h\n      S: 250\n      S+ PIPELINING\n",
        "the reply to EHLO h has no line that is “PIPELINING”",
    ),
    "no line": (
        "  - smtp: |\n      S: 220\n      C: EHLO h\n      S: 250\n      S- SIZE *\n",
        "the reply to EHLO h has the line 'SIZE 1000'",
    ),
    "no close": (
        "  - smtp: |\n      S: 220\n      --- close\n",
        "did not close",
    ),
    "mail": (
        "  - mail: {to: [x@mycompany.com]}\n",
        "RCPT TO:<x@mycompany.com> got 550 unknown, expected to be accepted",
    ),
    "mail taken": (
        "  - mail: {to: [john@mycompany.com], refused: all}\n",
        "RCPT TO:<john@mycompany.com> got 250 ok, expected 5*",
    ),
    "mail refused elsewhere": (
        "  - mail: {to: [john@mycompany.com], refused: {at: {message: 5*}}}\n",
        "the message got 250 taken, expected 5*",
    ),
    "route": (
        "  - route: {john@mycompany.com: SMTP}\n",
        "<john@mycompany.com> is routed to LOCAL john , expected SMTP",
    ),
    "route error": (
        "  - route: {john@mycompany.com: error}\n",
        "<john@mycompany.com> is routed to LOCAL john , expected error",
    ),
    "cli": (
        "  - cli: Route x@mycompany.com\n",
        "Route x@mycompany.com: got 501 unknown user account, expected success",
    ),
    "cli fails": (
        "  - cli: {command: Echo x, fails: 5*}\n",
        "Echo x: got 201 x, expected the refusal 5*",
    ),
    "cli gives": (
        "  - cli: {command: 'Echo (a,b)', gives: '(b,a)'}\n",
        "Echo (a,b): gives (a,b), expected (b,a)",
    ),
    "delivered": (
        MAIL + "  - delivered: {to: john@mycompany.com, header: {Subject: bye}}\n",
        "Subject: hello: no Subject that is “bye” (there is 'hello'))",
    ),
    "delivered nothing": (
        "  - delivered: {to: john@mycompany.com}\n",
        "no messages in the INBOX of john@mycompany.com as described, expected 1",
    ),
    "delivered login": (
        "  - delivered: {to: john@mycompany.com, password: wrong}\n",
        "the INBOX of john@mycompany.com cannot be read",
    ),
    "not delivered": (
        MAIL + "  - not delivered: john@mycompany.com\n",
        "1 message in the INBOX of john@mycompany.com, expected none",
    ),
    "relayed": (
        RELAY + "  - relayed: {host: relay.com, to: b@relay.com}\n",
        "expected 1 (from <john@mycompany.com> to <a@relay.com>: other recipients)",
    ),
    "not relayed": (
        RELAY + "  - not relayed: nobody\n",
        "relay.com received a message from <john@mycompany.com> to <a@relay.com>, expected none",
    ),
    "queued": ("  - queued: {messages: 1}\n", "0 messages are queued (none), expected 1"),
    "bounced": (
        MAIL + "  - bounced: {to: john@mycompany.com}\n",
        "it is no delivery report",
    ),
    "dns asked": (
        RELAY + "  - dns asked: MX relay.com\n",
        "DNS question MX relay.com: never asked (asked was: A relay.com)",
    ),
    "dns most": (
        RELAY + RELAY + "  - dns asked: {question: '* relay.com', most: 1}\n",
        "asked 2 times, expected 1 times at most",
    ),
    "dns count": (
        RELAY + "  - dns asked: {question: A relay.com, count: 2}\n",
        "DNS question A relay.com: asked 1 times, expected 2",
    ),
    "log": ("  - log: '*crash*'\n", "no line of the log matches *crash*"),
    "not log": ("  - not log: '*server started'\n", "a line of the log matches *server started"),
    "no file": (
        "  - file: {path: Accounts/postmaster.macnt/x, contains: a}\n",
        "no file matches Accounts/postmaster.macnt/x (there is account.settings)",
    ),
    "settings taken": (
        "  - settings refused: {SMTP: {ErrorLimit: 3}}\n",
        "the settings were accepted, expected to be refused",
    ),
    "refused nowhere": (
        "  - mail: {to: john@mycompany.com, refused: {at: {anywhere: 5*}}}\n",
        "the message was accepted, expected 5*",
    ),
    "refused otherwise": (
        "  - mail: {to: x@mycompany.com, refused: {at: {anywhere: 4*}}}\n",
        "the message got 550",
    ),
    "refused at no time": (
        (
            "  - mail: {from: john@mycompany.com, to: john@mycompany.com,"
            " refused: {at: {sometime: 5*}}}\n"
        ),
        "no delivery reports of 1 in the INBOX of john@mycompany.com",
    ),
    "refused for now": (
        (
            "  - mail: {from: john@mycompany.com, to: [x@mycompany.com, john@mycompany.com],"
            " refused: {at: {sometime: 4*}}}\n"
        ),
        "RCPT TO:<x@mycompany.com> got 550",
    ),
    "refused": ("  - smtp: |\n      --- refused\n", "the connection was taken, expected a refusal"),
    # What the other connection hears comes later than the reply that nobody reads.
    "silence": (
        (
            "  - smtp a from 192.0.2.1: |\n      S: 220\n      C: NOOP\n"
            "  - smtp b from 192.0.2.1: |\n      S: 220\n      C: NOOP\n      S: 250\n"
            "  - smtp a: |\n      --- silence\n"
        ),
        "expected silence",
    ),
    "file": (
        "  - file: {path: 'Accounts/*/account.settings', dictionary: '{Password=other;}'}\n",
        "is {Password=first;}, expected {Password=other;}",
    ),
    "file of another kind": (
        "  - file: {path: 'Accounts/*/account.settings', shape: array}\n",
        "is {Password=first;}, expected data of the kind array",
    ),
}


@pytest.mark.parametrize("kind", UNMET)
def test_a_step_that_is_not_met_fails_with_a_sentence(engine, tmp_path, kind):
    steps, sentence = UNMET[kind]
    result = run(engine, tmp_path, steps)
    assert result.outcome is Outcome.FAILED
    assert sentence in result.reason
    assert result.position.startswith(str(tmp_path))
    assert sum(line.bad for line in result.transcript) == 1


def test_the_position_is_the_line_of_the_dialogue(engine, tmp_path):
    result = run(engine, tmp_path, "  - smtp: |\n      S: 220\n      C: EHLO h\n      S: 500\n")
    line = int(result.position.rsplit(":", 2)[1])
    assert (tmp_path / "scenarios/chapter/case.yaml").read_text().splitlines()[
        line - 1
    ].strip() == ("S: 500")


def test_literal_texts_count_only_when_strict(tmp_path_factory, tmp_path):
    steps = "  - smtp: |\n      S: 220 ~ welcome\n"
    target = toy_target(tmp_path_factory.mktemp("toy"), warm=True)
    for strict, outcome in ((False, Outcome.PASSED), (True, Outcome.FAILED)):
        with client(target, strict=strict) as engine:
            assert run(engine, tmp_path, steps).outcome is outcome


def test_a_scenario_leaves_nothing_for_the_next(engine, tmp_path):
    assert run(engine, tmp_path, MAIL).outcome is Outcome.PASSED
    after = run(engine, tmp_path, "  - not delivered: john@mycompany.com\n")
    assert after.outcome is Outcome.PASSED
