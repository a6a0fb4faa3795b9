"""Lists as the caller wants them: which page, and as JSON or CSV."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response

from referrals.domain.events import Text
from referrals.store.pages import MOST, Cursor
from referrals.store.views import Page

T = TypeVar("T")

AS_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}
"""For the OpenAPI of a list."""

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Asked:
    """A page of a list, as JSON or, with `Accept: text/csv`, as CSV whose following page is in the header `Link`."""

    def __init__(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
        after: Annotated[Text | None, Query(description="`next` of the page before.")] = None,
    ) -> None:
        self.cursor = Cursor(limit, after)
        self._request = request

    def answer(self, page: Page[T], kind: type[T]) -> Any:
        """The page, whose rows are of this view."""
        if "text/csv" not in self._request.headers.get("accept", ""):
            return page
        names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
        headers = {}
        if page.next:
            following = self._request.url.include_query_params(after=page.next)
            headers["link"] = f'<?{following.query}>; rel="next"'
        return Response(_csv(names, page.data), media_type="text/csv", headers=headers)


List = Annotated[Asked, Depends(Asked)]


def _csv(names: Sequence[str], data: Sequence[Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for row in map(asdict, data):
        writer.writerow(_cell(row[name]) for name in names)
    return text.getvalue()


def _cell(value: Any) -> str:
    """The value as text that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
