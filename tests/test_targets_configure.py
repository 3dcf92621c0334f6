"""From a scenario's world to CLI commands, and from labels to keywords."""

import pytest

from conformance.scenario.model import AccountSpec, DomainSpec, Given, ListSpec
from conformance.targets.base import TargetError
from conformance.targets.configure import administrator_password, configuration
from conformance.targets.labels import KEYWORDS, Keywords, word


def commands(given, **overrides):
    return configuration(given, Keywords(overrides))


def test_the_smallest_world_names_the_main_domain_and_sets_the_password():
    assert commands(Given()) == [
        'UpdateServerSettings {DomainName="mycompany.com";}',
        "SetAccountPassword postmaster To secret",
    ]


def test_a_whole_world_is_configured_in_an_order_that_works():
    main = DomainSpec(
        name="mycompany.com",
        accounts=(
            AccountSpec("postmaster", password="other", settings={"Real Name": "Post"}),
            AccountSpec(
                "john",
                aliases=("j", "john.smith"),
                settings={"Allow to Modify": False},
                rights=("Can Monitor Server",),
            ),
        ),
        aliases=("mail.mycompany.com",),
        settings={"Mail to Unknown": "Discarded"},
        forwarders={"susan": "susan@otherisp.dom"},
    )
    client = DomainSpec(
        name="client.com",
        accounts=(AccountSpec("owner"),),
        addresses=("10.0.0.2",),
        lists=(ListSpec("list", "owner", ("a@b.c",), {"Description": "A list"}),),
    )
    given = Given(
        domains=(main, client),
        router="a.com = b.com\n; the end",
        clients=("10.0.0.0-10.0.0.9", "11.0.0.1 ; one"),
        blacklisted=(),
        client_names=("*.campus.edu",),
        settings={"SMTP": {"Relay to Clients": False, "RecipientLimit": 3}, "Server": {"X": "1"}},
    )
    assert commands(given) == [
        'UpdateServerSettings {DomainName="mycompany.com";X=1;}',
        "UpdateModule SMTP {RelayToClients=NO;RecipientLimit=3;}",
        'SetProtection {DetectClientsByName=YES;ClientNames=("*.campus.edu");}',
        'UpdateDomainSettings "mycompany.com" {MailToUnknown=Discarded;}',
        'SetDomainAliases "mycompany.com" ("mail.mycompany.com")',
        "UpdateAccountSettings postmaster {RealName=Post;}",
        "SetAccountPassword postmaster To other",
        "CreateAccount john {Password=secret;PWDAllowed=NO;}",
        'SetAccountAliases john (j,"john.smith")',
        "SetAccountRights john (Monitor)",
        'CreateForwarder susan TO "susan@otherisp.dom"',
        'CreateDomain "client.com" {IPAddresses=("10.0.0.2");}',
        'CreateAccount "owner@client.com" {Password=secret;}',
        'CreateList "list@client.com" for owner',
        'UpdateList "list@client.com" {RealName="A list";}',
        'List "list@client.com" feed silently "a@b.c"',
        'SetClientIPs "10.0.0.0-10.0.0.9\\e11.0.0.1 ; one\\e"',
        'SetBlacklistedIPs ""',
        'SetRouterTable "a.com = b.com\\e; the end\\e"',
    ]
    assert administrator_password(given) == "other"


def test_a_target_file_overrides_the_table():
    given = Given(settings={"SMTP": {"relay to clients": "simple"}})
    assert commands(given, SMTP={"Relay to Clients": "RelaySimple"})[1] == (
        "UpdateModule SMTP {RelaySimple=simple;}"
    )


def test_an_unknown_label_is_an_error_with_a_suggestion():
    with pytest.raises(TargetError) as caught:
        commands(Given(settings={"SMTP": {"Relay to Client": "no"}}))
    assert str(caught.value) == (
        "no keyword is known for the SMTP setting 'Relay to Client' "
        '(did you mean "relay to clients"?): name it in the target file under [keywords.SMTP]'
    )


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (True, "YES"),
        (False, "NO"),
        (3, "3"),
        ("if received from Clients", "clients"),
        (["a", True], ["a", "YES"]),
        ({"A": 1}, {"A": "1"}),
        (None, ""),
    ],
)
def test_values_become_words(value, printed):
    assert word(value) == printed


def test_labels_stand_in_the_table_as_they_are_looked_up():
    for module, table in KEYWORDS.items():
        for label, keyword in table.items():
            assert Keywords().keyword(module, f" {label.title()}: ") == keyword
