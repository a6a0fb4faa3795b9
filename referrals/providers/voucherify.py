"""Voucherify: points on loyalty cards, by its API v2 or v1, and gift credit on gift cards.

A booking carries our key in the only field that its call has for one: v2 points in `reason`, the others in
`source_id`. None of these is unique over there, so a booking is looked up in the card's transactions. API v1 books
points some time after it has answered; v2 lists them at once, as pending.
Sources: Voucherify's OpenAPI documents, its error list and its guide to loyalty v2 in production, August 2026.
"""

_PAGE = "100"
