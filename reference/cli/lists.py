"""Commands on mailing lists and their subscribers.

Guide 3.5.2, Command Line Interface, Mailing Lists Administration. Lists are made and removed by
administrators of their domain; the account that owns a list may also use the commands on one list.
No Welcome or Bye message and no confirmation request is sent from here.
"""

from __future__ import annotations

import re

from reference.cli.command import Access, Answer, Call, Command, denied, row
from reference.cli.replies import CommandError
from reference.formats import dictionary
from reference.formats.dictionary import DictionaryError
from reference.storage.domain import Domain
from reference.storage.errors import NoSuchList
from reference.storage.objects import MailingList

__all__ = ["COMMANDS", "subscriber"]

_WITH_COMMENT = re.compile(r"(?P<comment>.*?)\s*<(?P<address>[^<>]*)>", re.DOTALL)

#: The modes that set no mode of their own: a subscriber gets each message.
_MODES = {"subscribe": "feed"}


def subscriber(text: str) -> tuple[str, str]:
    """Return the address and the real name of a subscriber as a command tells them.

    Forms: ``a@b.c``, ``<a@b.c>``, ``"Bill Jones" <a@b.c>``, and each of them in quotation marks.
    """
    text = _unquoted(text)
    match = _WITH_COMMENT.fullmatch(text)
    if match is None:
        return text, ""
    return match["address"].strip(), _unquoted(match["comment"])


def _unquoted(text: str) -> str:
    text = text.strip()
    if text.startswith('"'):
        try:
            value = dictionary.parse(text)
        except DictionaryError:
            return text
        return value.strip() if isinstance(value, str) else text
    return text


def _lists(call: Call) -> list[MailingList]:
    return list(call.domain(call.arguments.optional("domainName")).lists.values())


def _list(call: Call) -> Answer:
    return [mailing_list.name for mailing_list in _lists(call)]


def _with_numbers(call: Call) -> Answer:
    return {each.name: str(len(each.subscribers)) for each in _lists(call)}


def _of_account(call: Call) -> Answer:
    owner = call.account_named(call.arguments.text("accountName"))
    return {
        each.name: str(len(each.subscribers))
        for each in owner.domain.lists.values()
        if each.owner == owner.name
    }


def _create(call: Call) -> Answer:
    name, domain = call.place(call.arguments.text("listName"))
    if not call.authority.all_domains:
        limit = domain.get("ListsLimit")
        if 0 <= limit <= len(domain.lists):
            raise CommandError("the domain has as many mailing lists as it may have")
    owner = call.name_in(domain, call.arguments.text("accountName"))
    domain.create_list(name, owner)
    return None


def _rename(call: Call) -> Answer:
    mailing_list = _found(*call.place(call.arguments.text("listName")))
    mailing_list.domain.rename_list(mailing_list, call.arguments.text("newName"))
    return None


def _delete(call: Call) -> Answer:
    mailing_list = _found(*call.place(call.arguments.text("listName")))
    mailing_list.domain.delete_list(mailing_list)
    return None


def _found(name: str, domain: Domain) -> MailingList:
    found = domain.lists.get(name.lower())
    if found is None:
        raise NoSuchList
    return found


def _own_or_administered(call: Call) -> MailingList:
    """Return the list that a command names, if the caller owns it or administers its domain."""
    name = call.arguments.text("listName")
    local, at, domain_name = name.rpartition("@")
    own = call.account.domain
    if not at or call.kernel.domains.get(domain_name) is own:
        mine = own.lists.get((local if at else name).lower())
        if mine is not None and mine.owner == call.account.name:
            return mine
    if not call.authority.administrator:
        raise denied()
    return _found(*call.place(name))


def _get(call: Call) -> Answer:
    mailing_list = _own_or_administered(call)
    return {"Owner": mailing_list.owner, **mailing_list.settings}


def _update(call: Call) -> Answer:
    _own_or_administered(call).update(call.arguments.dictionary("newSettings"))
    return None


def _change(call: Call) -> Answer:
    mailing_list = _own_or_administered(call)
    if call.arguments.given("confirm"):
        raise CommandError("this server sends no confirmation requests")
    address, real_name = subscriber(call.arguments.text("subscriber"))
    operation = call.arguments.text("operation")
    if operation == "unsubscribe":
        if not mailing_list.unsubscribe(address):
            raise CommandError(f"{address} is not a subscriber")
        return None
    mode = _MODES.get(operation, operation)
    mailing_list.subscribe(address, mode=mode, real_name=real_name)
    return None


def _subscribers(call: Call) -> Answer:
    wanted = call.arguments.text("filter").lower()
    found = [
        each.address
        for each in _own_or_administered(call).subscribers.values()
        if wanted in each.address.lower()
    ]
    limit = call.arguments.number("limit", len(found))
    return [*found[: max(0, limit)]]


_ADMINISTRATOR = Access.ADMINISTRATOR
_ANY = Access.EVERYBODY
_NAME = "listName:string"
_OPERATION = "operation:subscribe|feed|digest|index|null|banned|unsubscribe"

COMMANDS: tuple[Command, ...] = (
    row("ListLists", _list, "[domainName:string]", access=_ADMINISTRATOR),
    row("GetDomainLists", _with_numbers, "[domainName:string]", access=_ADMINISTRATOR),
    row("GetAccountLists", _of_account, "accountName:string", access=_ADMINISTRATOR),
    row("CreateList", _create, f"{_NAME} for accountName:string", access=_ADMINISTRATOR),
    row("RenameList", _rename, f"{_NAME} into newName:string", access=_ADMINISTRATOR),
    row("DeleteList", _delete, _NAME, access=_ADMINISTRATOR),
    row("GetList", _get, _NAME, access=_ANY),
    row("UpdateList", _update, f"{_NAME} newSettings:dictionary", access=_ANY),
    row("List", _change, f"{_NAME} {_OPERATION} [silently] [confirm] subscriber:rest", access=_ANY),
    row(
        "ListSubscribers",
        _subscribers,
        f"{_NAME} [[FILTER] filter:string [limit:number]]",
        access=_ANY,
    ),
)
