r"""Faults of the Dictionary format (Guide 3.5.2, Data Formats)."""

from sabotage.case import FORMATS, cases

_DICTIONARY = "formats/dictionary.py"

CASES = cases(
    FORMATS,
    decimal_codes_read_as_hexadecimal=(
        _DICTIONARY,
        "bytes([int(match[2])])",
        "bytes([int(match[2], 16) & 255])",
        "data-formats/strings",
    ),
    duplicate_keys_taken=(
        _DICTIONARY,
        "if key in pairs:",
        "if not key:",
        "data-formats/syntax-errors",
    ),
    line_end_printed_as_line_feed=(
        _DICTIONARY,
        '"\\r\\n": "\\\\e"',
        '"\\r\\n": "\\\\n"',
        "data-formats/strings",
    ),
    tab_read_as_a_letter=(_DICTIONARY, '"t": b"\\t"', '"t": b"t"', "data-formats/strings"),
    last_semicolon_left_out=(
        _DICTIONARY,
        '            if self.skip() != ";":\n                raise self.error(f"expected ;',
        """\
            if self.skip() == "}":
                break
            if self.skip() != ";":
                raise self.error(f"expected ;""",
        "data-formats/syntax-errors",
    ),
    unclosed_array_taken=(
        _DICTIONARY,
        '            if symbol not in (",", ")"):',
        """\
            if not symbol:
                return elements
            if symbol not in (",", ")"):""",
        "data-formats/syntax-errors",
    ),
    dots_printed_without_quotes=(
        _DICTIONARY,
        '_STRICT_ATOM = re.compile(r"[A-Za-z0-9]+")',
        '_STRICT_ATOM = re.compile(r"[A-Za-z0-9.]+")',
        "data-formats/strings",
    ),
    return_is_no_white_space=(
        _DICTIONARY,
        '_BLANKS = re.compile(r"[ \\t\\r\\n]*")',
        '_BLANKS = re.compile(r"[ \\t\\n]*")',
        "data-formats/multi-line-file",
    ),
)
