"""Which judge a step has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from conformance.run import (
    judge_cli,
    judge_course,
    judge_delivery,
    judge_dialogue,
    judge_faults,
    judge_files,
    judge_http,
    judge_mail,
    judge_peers,
    judge_relay,
    judge_tls,
)
from conformance.run.scene import Scene
from conformance.scenario.model import Step

Judge = Callable[[Scene, Step], Awaitable[None]]

#: ``Step.kind`` → who does and judges it.
JUDGES: Mapping[str, Judge] = {
    "smtp": judge_dialogue.judge_dialogue,
    "pop": judge_dialogue.judge_dialogue,
    "imap": judge_dialogue.judge_dialogue,
    "pwd": judge_dialogue.judge_dialogue,
    "mail": judge_mail.judge_mail,
    "route": judge_cli.judge_route,
    "cli": judge_cli.judge_cli,
    "delivered": judge_delivery.judge_delivered,
    "not delivered": judge_delivery.judge_not_delivered,
    "bounced": judge_delivery.judge_bounced,
    "relayed": judge_relay.judge_relayed,
    "connected": judge_peers.judge_connected,
    "heard": judge_peers.judge_heard,
    "not relayed": judge_relay.judge_not_relayed,
    "dns asked": judge_relay.judge_dns_asked,
    "dns not asked": judge_relay.judge_dns_asked,
    "http": judge_http.judge_http,
    "tls": judge_tls.judge_tls,
    "queued": judge_files.judge_queued,
    "remote mailbox": judge_peers.judge_remote_mailbox,
    "log": judge_files.judge_log,
    "not log": judge_files.judge_log,
    "file": judge_files.judge_file,
    "write": judge_files.judge_write,
    "put": judge_files.judge_put,
    "settings": judge_course.settings,
    "settings refused": judge_course.settings,
    "wait": judge_course.wait,
    "rest": judge_course.rest,
    "disk": judge_faults.disk,
    "clock": judge_faults.clock,
    "stop": judge_course.process,
    "start": judge_course.process,
    "restart": judge_course.process,
    "kill": judge_course.process,
    "zone": judge_course.zone,
    "peer": judge_course.peer,
}
