"""Own ledger: append-only, double-entry, exact.

An entry moves an amount from one account to another, so the books always balance. A grant moves from the campaign's
`issued` account to the customer's `wallet`; a roll-back is a new entry in the opposite direction. If the wallet no
longer holds the amount, the rest is taken from the customer's `owed` account, unless the campaign allows a negative
wallet.

A grant may expire: the remainder moves from the wallet to the campaign's `expired` account. Due expiries are booked
before anything else leaves the wallet, so it does not matter how late the hourly job runs. Entries of one wallet are
written one after another, under the wallet's lock.
"""
