"""Lines of Routing Tables, drawn for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

_WORD = st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True)
_DOMAIN = st.lists(_WORD, min_size=1, max_size=3).map(".".join)


@st.composite
def records(draw: st.DrawFn) -> str:
    """Draw the line of one record."""
    prefix = draw(st.sampled_from(["", "Relay:", "R:", "NoRelay: ", "n:", "RelayAll:"]))
    star = draw(st.booleans())
    word, domain = draw(_WORD), draw(_DOMAIN)
    taken = "*" if star else draw(_WORD)
    if draw(st.booleans()):
        left = f"<{word}-{taken}@{domain}>" if draw(st.booleans()) else f"<{word}{taken}>"
        right = draw(
            st.sampled_from(
                [f"{taken}@{domain}", word, "null", "error", "spamtrap", f"{taken}@{word}.local"]
            )
        )
    else:
        left = f"{'*.' if star else ''}{domain}"
        right = draw(
            st.sampled_from(
                [
                    "",
                    f"{'*.' if star else ''}{word}.example",
                    f"{word}.com@{word}.net.smtp",
                    "[10.1.2.3:26]",
                    f"{domain}.here",
                    f"{word}.uucp",
                ]
            )
        )
    space = draw(st.sampled_from(["", " ", "\t "]))
    comment = draw(st.sampled_from(["", " ; why", ";no = record"]))
    return f"{space}{prefix}{left}{space}={space}{right}{comment}"
