"""Pure business rules: campaigns, codes, money, conditions, decisions and events. No I/O, clock, SQL or HTTP."""
