"""Which network plan a run gets."""

from __future__ import annotations

from conformance.world import namespace
from conformance.world.direct import DirectPlan
from conformance.world.loopback import LoopbackPlan
from conformance.world.plan import Plan, PlanError

PLANS = ("auto", "namespace", "loopback", "direct")


def choose_plan(name: str, *, dns_address: str = "192.0.2.53") -> Plan:
    """Make the named plan: ``namespace``, ``loopback``, ``direct`` (no world around the server), or
    ``auto`` (namespace where permitted).

    For the namespace plan this must be the first thing that a process does, and it returns in a
    child process (see ``namespace.enter``). Raises PlanError that says what is missing.
    """
    if name == "loopback":
        return LoopbackPlan()
    if name == "direct":
        return DirectPlan()
    if name not in PLANS:
        raise PlanError(f"no plan is called {name!r}; there are {', '.join(PLANS)}")
    try:
        return namespace.enter(dns_address=dns_address)
    except PlanError:
        if name == "namespace":
            raise
        return LoopbackPlan()
