"""The DICOM conformance statement (PS3.2 annex N), made from the tables in code.

statement.py    the statement of a configuration, as Markdown
afterwards.py   what follows storing: commitment, performed steps, queries
objects.py      attribute tables, from objects that were really written
sources.py      the phantom sources of those objects
"""
