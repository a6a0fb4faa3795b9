"""The pure part: what a campaign, a code, an amount and a rule are. No I/O, no clock, no SQL."""
