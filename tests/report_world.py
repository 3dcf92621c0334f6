"""Results to make reports of: runs with every outcome and a transcript that means no good."""

from conformance.run.outcome import CaseResult, Outcome, TranscriptLine
from conformance.run.results import Case, RunResult, Stale

EVIL = "<script>document.title = 'taken over'</script>"


def line(text, *, arrow="<", channel="smtp from 192.0.2.1", bad=False, step=0):
    return TranscriptLine(channel, arrow, text, bad, step)


def case(case_id, outcome=Outcome.PASSED, *, reason="", transcript=(), **changes):
    name = case_id.partition("[")[0]
    values = {
        "title": f"The requirement of {case_id}",
        "source": "Guide 3.5.2 > Router > Routing Table",
        "covers": ("ROUTE-001",),
        "requires": ("router", "smtp"),
        "file": f"/somewhere/scenarios/{name}.yaml:1:1",
        "text": f"title: The requirement of {case_id}\nsteps:\n  - rest\n",
        **changes,
    }
    position = f"/somewhere/scenarios/{name}.yaml:3:5" if reason else ""
    result = CaseResult(
        id=case_id,
        outcome=outcome,
        seconds=0.25,
        reason=reason,
        step=0 if reason else -1,
        position=position,
        transcript=tuple(transcript),
    )
    return Case(id=case_id, result=result, **values)


def run(*cases, name="reference", **changes):
    values = {
        "target": {"name": name, "file": f"targets/{name}.toml"},
        "plan": "namespace",
        "started": "2026-01-31T12:00:00Z",
        "seconds": 2.0,
        **changes,
    }
    return RunResult(cases=tuple(cases), **values)


def failing(case_id="router/failed", **changes):
    return case(
        case_id,
        Outcome.FAILED,
        reason="RCPT TO:<a@b.example> got 250 ok, expected 5*",
        transcript=[
            line("CreateDomain mycompany.com", arrow=">", channel="cli", step=-1),
            line("200 OK", channel="cli", step=-1),
            line("220 mycompany.com ESMTP"),
            line("RCPT TO:<a@b.example>", arrow=">"),
            line("250 ok", bad=True),
            line("RCPT TO:<a@b.example> got 250 ok, expected 5*", arrow="*", channel="harness"),
        ],
        **changes,
    )


def mixed():
    """A run with every outcome."""
    return run(
        case("forwarders/one", transcript=[line("250 fine")]),
        failing(),
        case("router/known", Outcome.EXPECTED_FAILURE, reason="a known bug (it fails)"),
        case("router/fixed", Outcome.UNEXPECTED_PASS, reason="it passes, but …"),
        case("router/table[a row]", note="It is read so."),
        case("smtp/broken", Outcome.ERROR, reason="the server died"),
        case("smtp/etrn", Outcome.NOT_APPLICABLE, reason="needs etrn"),
        stale=(Stale(id="router/fixed", reason="it passes now"),),
        broken=("scenarios/x.yaml:1:1: unknown key",),
    )


def malicious():
    """A run of a server, and of a scenario, that try to get into the page."""
    return run(
        case(
            f"router/evil[{EVIL}]",
            Outcome.FAILED,
            reason=f"got {EVIL}",
            title=f"A title {EVIL}",
            source=f"Guide {EVIL}",
            note=f"Note {EVIL}",
            text=f"title: {EVIL}\n</pre>{EVIL}",
            transcript=[
                line(EVIL, channel=EVIL, bad=True),
                line('"><img src=x onerror="document.title=1">', arrow=">"),
                line("</p></div></details></script>" + EVIL, arrow="?"),
            ],
        ),
        name=f"toy{EVIL}",
    )
