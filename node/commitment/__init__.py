"""Does a destination really keep what we sent (PS3.4 annex J)?

ledger.py   transactions asked and answered; else the destination's own index
states.py   their states, and which of them a report leads to
"""
