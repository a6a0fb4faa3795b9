"""The engine and its references: each is a client process controlled by `driver.py`, with its servers."""
