"""Merging of two customers into one, in one transaction. What becomes of everything they have: docs/merging.md.

The surviving customer gets the rows of the merged one. Where both have what one person has only once (a referral in a
campaign, a milestone), one stays and the report says what became of the other.
"""
