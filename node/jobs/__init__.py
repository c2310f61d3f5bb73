"""What a job is, and how far it has come.

records.py   the request that makes it, its row, its id
states.py    its states, which may follow which, and what cannot be done in one
ledger.py    `JobLedger`: create, get, list, update, retry, cancel
"""
