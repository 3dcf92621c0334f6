"""Buttons of pages: which form is sent, whither, and with what."""

from __future__ import annotations

from email.message import Message

import pytest

from conformance.run.judge_http import _form
from conformance.run.scene import Mismatch
from conformance.scenario.steps import HttpStep
from conformance.world.clients.http import HttpReply

PAGE = """
<form action="/search"><input name=q value="x"><input type=submit value="Search"></form>
<FORM method=post action='/Settings/SMTP?a=1&amp;b=2'>
<input type="hidden" name="page" value="a &amp; b"><input type="text" name="typed" value="no">
<button name="Update" value="yes">Update</button>
<button name="WakeUpNow" value="yes">Wake <b>Up</b> Now</button></FORM>
"""


def form(press: str, page: str = PAGE) -> tuple[str, dict[str, str]]:
    reply = HttpReply(200, Message(), page.encode())
    return _form(HttpStep(url="http://company.com/", press=press), reply)


def test_a_button_sends_its_own_form_with_what_is_hidden() -> None:
    assert form("Wake Up Now") == (
        "/Settings/SMTP?a=1&b=2",
        {"page": "a & b", "WakeUpNow": "yes"},
    )


def test_an_input_can_be_a_button() -> None:
    assert form("search") == ("/search", {})


@pytest.mark.parametrize("page", [PAGE, "", "<button>Stop</button>"])
def test_a_page_without_the_button(page: str) -> None:
    with pytest.raises(Mismatch, match="without a button"):
        form("Stop", page)
