"""How an event is posted to an address that somebody else has named."""
