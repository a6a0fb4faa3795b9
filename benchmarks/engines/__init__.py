"""The engine and what it is compared with: each a client process that `driver.py` steers, and whatever it talks to."""
