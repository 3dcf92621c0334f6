"""Faults of unified domain-wide accounts (Guide 3.5.2, Local Delivery) and of mailbox formats."""

from sabotage.case import MAILBOXES, MAPPING, UNIFIED, cases

_LOCAL = "transport/local.py"
_MDIR = "storage/mdir.py"
_STORE = "transport/local_store.py"

CASES = (
    *cases(
        UNIFIED,
        the_account_stands_before_the_percent=(
            _LOCAL,
            'real_to, _, account = address.local.rpartition("%")',
            'account, _, real_to = address.local.partition("%")',
            "unified-accounts/domain-suffix",
        ),
        the_envelope_field_is_always_x_real_to=(
            _STORE,
            'f"{field}: {names[0]}"',
            'f"X-Real-To: {names[0]}"',
            "unified-accounts/field-name",
        ),
        the_envelope_field_has_one_name=(
            _STORE,
            'lines.append(_folded(f"{field}: {names[0]}", names[1:]))',
            'lines.append(f"{field}: {names[0]}")',
            "unified-accounts/real-to",
        ),
        domain_suffix_means_the_main_domain=(
            _LOCAL,
            "return self._account(self._without_detail(account) or account, domain, real_to)",
            "return self._account(account, self._domains.main, real_to)",
            "unified-accounts/domain-suffix",
        ),
    ),
    *cases(
        MAILBOXES,
        each_mailbox_has_a_file_of_its_own=(
            _MDIR,
            "if shared is None or not shared.link(temporary):",
            "if shared is None or shared:",
            "mailboxes/mdir-shared",
        ),
        flags_do_not_show_in_the_name=(
            _MDIR,
            "            path.rename(self._path / name)\n",
            "            name = path.name\n",
            "mailboxes/mdir",
        ),
        file_names_have_another_time=(
            _MDIR,
            'return f"{uid}-{flag_letters(flags).decode()}-{stamp}"',
            'return f"{uid}-{flag_letters(flags).decode()}-{stamp[2:]}00"',
            "mailboxes/mdir",
        ),
    ),
    *cases(
        UNIFIED,
        MAPPING,
        pop_views_hide_nothing=(
            "protocols/pop.py",
            "if names_recipient(mailbox.read(message), field, login.real_to)",
            "if mailbox.read(message)",
            "unified-accounts/pop-view",
        ),
    ),
)
