"""Pages of lists, as JSON or CSV."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response

from referrals.domain.event_fields import Text
from referrals.store.db.pages import MAX_PAGE_SIZE, Cursor
from referrals.store.views import Page, with_zulu_times

T = TypeVar("T")

AS_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One page, as JSON or CSV.",
        "content": {
            "text/csv": {
                "schema": {"type": "string", "description": "A header line and a line per row."}
            }
        },
        "headers": {
            "Link": {
                "schema": {"type": "string"},
                "description": 'Query of the next page of CSV, with `rel="next"`.',
            }
        },
    }
}
"""OpenAPI response of every list."""

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ListParams:
    """One page of a list, as JSON or, with `Accept: text/csv`, as CSV. CSV links its next page in the header `Link`."""

    def __init__(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 50,
        after: Annotated[Text | None, Query(description="`next` of the previous page.")] = None,
    ) -> None:
        self.cursor = Cursor(limit, after)
        self._request = request

    def render(self, page: Page[T], kind: type[T]) -> Any:
        """Return the page, whose rows are views of this kind, in the format that the caller prefers."""
        if not _prefers_csv(self._request.headers.get("accept", "")):
            return page
        names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
        headers = {}
        if page.next:
            next_page = self._request.url.include_query_params(after=page.next)
            headers["link"] = f'<?{next_page.query}>; rel="next"'
        return Response(_csv(names, page.data), media_type="text/csv", headers=headers)


Paging = Annotated[ListParams, Depends(ListParams)]


def _prefers_csv(accept: str) -> bool:
    """Return true if the header names CSV and weighs it no less than JSON (RFC 9110, section 12.5.1)."""
    weights = dict(map(_parse_media_range, accept.lower().split(",")))
    csv_weight = weights.get("text/csv", 0.0)
    json_weights = (weights.get(kind) for kind in ("application/json", "application/*", "*/*"))
    json_weight = next((weight for weight in json_weights if weight is not None), 0.0)
    return 0 < csv_weight >= json_weight


def _parse_media_range(text: str) -> tuple[str, float]:
    kind, *parameters = (part.strip() for part in text.split(";"))
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    return kind, float(weight) if _WEIGHT.fullmatch(weight) else 0.0


def _csv(names: Sequence[str], data: Sequence[Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for row in map(asdict, data):
        writer.writerow(_cell(row[name]) for name in names)
    return text.getvalue()


def _cell(value: Any) -> str:
    """Return the value as text that a spreadsheet does not evaluate as a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(with_zulu_times(value.isoformat()))
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
