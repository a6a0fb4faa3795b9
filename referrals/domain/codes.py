"""Referral codes: patterns, generation and normalisation.

Codes are case-insensitive. They are stored and compared in upper case.
"""

import re
import secrets

DEFAULT_CHARSET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Letters and digits that cannot be confused: no I, L, O, 0, 1."""

MAX_CODE_LENGTH = 64
MIN_POSSIBLE_CODES = 10**4
"""Minimum number of different codes that a pattern must allow, so that codes cannot be guessed."""

_CODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def normalise_code(text: str) -> str:
    """Return the code in upper case, without surrounding white space."""
    return text.strip().upper()


def is_code(text: str) -> bool:
    """Return True if the text is a valid code: 1 to 64 characters that are safe in a URL."""
    return len(text) <= MAX_CODE_LENGTH and _CODE.fullmatch(text) is not None


def check_charset(charset: str) -> str:
    """Return the charset if it is valid.

    Raises:
        ValueError: a character is not a letter A-Z or a digit, or occurs twice (ignoring case).
    """
    if not (charset.isascii() and charset.isalnum()):
        raise ValueError("must be letters A to Z and digits only")
    if len(set(charset.upper())) < len(charset):
        raise ValueError("has a character twice (codes are case-insensitive)")
    return charset


def check_pattern(pattern: str, charset: str) -> str:
    """Return the pattern if it is valid. Each ``#`` is one character of the charset.

    Raises:
        ValueError: the pattern is too long, has a character that is not safe in a URL, or allows fewer than
            `MIN_CODES` codes.
    """
    if not is_code(pattern.replace("#", "X")):
        raise ValueError(
            f"must be 1 to {MAX_CODE_LENGTH} characters: # for a random one, letters and digits, "
            "and - _ . between them"
        )
    codes = len(charset) ** pattern.count("#")
    if codes < MIN_POSSIBLE_CODES:
        raise ValueError(
            f"allows only {codes} codes; at least {MIN_POSSIBLE_CODES} are needed so that codes cannot be guessed: "
            "add a # or more characters to the charset"
        )
    return pattern


def generate_code(pattern: str, charset: str) -> str:
    """Generate a random code of the pattern from a cryptographic random source."""
    code = "".join(secrets.choice(charset) if char == "#" else char for char in pattern)
    return normalise_code(code)
