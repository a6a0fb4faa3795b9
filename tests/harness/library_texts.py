"""Phrases of libraries, drivers and the interpreter, none of which may reach a user."""

import re

PHRASES = {
    "pydantic": r"Input should|Field required|Extra inputs|[Vv]alidation error|Value error|after validation"
    r"|Input should be a valid|unable to parse|pydantic",
    "CEL": r"undeclared reference|Syntax error:|token recognition|mismatched input|matching overload"
    r"|non-message type|INVALID_ARGUMENT|<input>",
    "Jinja": r"dict object|end of statement block|unknown tag '|jinja2|expected token",
    "YAML": r"mapping values are not|<block end>|while (parsing|scanning)|cannot start any token|ruamel",
    "JSON": r"Expecting (value|property|'|,)|Extra data|Unterminated string|Invalid control",
    "SQL": r"sqlalchemy|sqlite3|aiosqlite|asyncpg|OperationalError|IntegrityError|constraint failed"
    r"|no such table",
    "HTTP": r"httpx|Connect(Error|ion refused)|ReadTimeout|RemoteProtocol|Request URL|All connection"
    r"|nodename|Name or service",
    "Temporal": r"temporalio|RPCError|Workflow Update|activity .* timeout|Failed client|transport error"
    r"|tonic",
    "Python": r"Traceback|invalid literal|NoneType|has no attribute|unsupported operand|\[Errno"
    r"|not supported between|object is not|codec can't|line contains NUL|RuntimeError|ValueError",
}
_PATTERN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in PHRASES.items()))


def library_text(text: str) -> str | None:
    """Return the library and the phrase if the text contains one."""
    match = _PATTERN.search(text)
    return f"{match.lastgroup}: {match[0]}" if match else None
