"""Access rights: spellings and reach."""

from __future__ import annotations

import pytest

from reference.cli.rights import Authority, UnknownRight, canonical

KEYWORDS = ("RealName", "MaxAccountSize", "MailToUnknown")


def authority(*rights: str, domain: str = "client1.com", main: bool = False) -> Authority:
    return Authority(domain=domain, in_main_domain=main, rights=frozenset(rights))


@pytest.mark.parametrize(
    ("spelling", "right"),
    [
        ("Master", "Master"),
        ("can modify access rights", "Master"),
        ("Can Modify User Accounts", "AllDomains"),
        ("Can Modify All Accounts And Domain Settings", "AllDomains"),
        ("Account Settings", "AllDomains"),
        ("Can Modify Server Settings", "Settings"),
        ("CanModifySettings", "Settings"),
        ("Can Monitor Server", "Monitor"),
        ("Can Monitor", "Monitor"),
        ("Basic Settings", "BasicSettings"),
        ("BASICSETTINGS", "BasicSettings"),
        ("CanCreateForwarders", "CanCreateForwarders"),
        ("maxaccountsize", "MaxAccountSize"),
    ],
)
def test_one_right_has_several_spellings(spelling: str, right: str) -> None:
    assert canonical([spelling], KEYWORDS) == {right}


def test_unknown_right_is_refused() -> None:
    with pytest.raises(UnknownRight, match="CanFly"):
        canonical(["Master", "CanFly"], KEYWORDS)


def test_unlimited_right_includes_all_others() -> None:
    master = authority("Master", main=True)
    assert master.unlimited
    assert master.all_domains
    assert master.settings
    assert master.monitor


@pytest.mark.parametrize("right", ["AllDomains", "Settings", "Monitor"])
def test_server_right_includes_no_other(right: str) -> None:
    holder = authority(right, main=True)
    assert not holder.unlimited
    assert [holder.all_domains, holder.settings, holder.monitor].count(True) == 1


def test_server_right_has_no_effect_outside_the_main_domain() -> None:
    holder = authority("Master")
    server = (holder.unlimited, holder.all_domains, holder.settings, holder.monitor)
    assert server == (False, False, False, False)
    assert not holder.administrator


def test_any_domain_right_makes_a_domain_administrator() -> None:
    assert authority("CanPostAlerts").administers("client1.com")
    assert not authority().administers("client1.com")


def test_domain_administrator_reaches_his_own_domain_only() -> None:
    assert not authority("Domain").administers("client2.com")
    assert authority("AllDomains", domain="main.com", main=True).administers("client2.com")


def test_administrator_domain_needs_the_right_for_sub_domains() -> None:
    assert authority("CanAdminSubDomains").administers("client2.com", "Client1.com")
    assert not authority("Domain").administers("client2.com", "client1.com")
    assert not authority("CanAdminSubDomains").administers("client2.com", "client3.com")


def test_system_administrator_holds_every_domain_right() -> None:
    assert authority("AllDomains", main=True).holds("CanCreateForwarders")
    assert not authority("Domain").holds("CanCreateForwarders")


def test_basic_settings_are_the_name_and_the_password() -> None:
    basic = authority("BasicSettings")
    assert basic.modifiable("RealName")
    assert basic.modifiable("Password")
    assert not basic.modifiable("MaxAccountSize")
    assert authority("MaxAccountSize").modifiable("MaxAccountSize")


def test_limits_are_never_the_domain_administrators() -> None:
    assert not authority("AccountsLimit").modifiable("AccountsLimit")
    assert authority("AllDomains", main=True).modifiable("AccountsLimit")
