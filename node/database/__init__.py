"""Every table of the node, on SQLite or PostgreSQL.

tables.py           the tables, and `open_database`, the engine that opens them
versions.py         older tables brought up to date, newer ones refused
waiting.py          a database that does not answer: said in one sentence, tried until it does
silent_server.py    a PostgreSQL server that says nothing is given up
sqlite_version.py   the SQLite that jobs need
"""
