"""Derived objects leave the node: one file a way.

The files:

    outgoing.py       an instance on disk that is to go, and what became of it
    statuses.py       which DIMSE and HTTP statuses mean kept, try again, or never
    errors.py         what can go wrong on the way
    association.py    a storage association of ours, straight from encoded files to the socket
    c_store.py        a series by C-STORE
    stow_rs.py        a series by STOW-RS
    orthanc_rest.py   a series by Orthanc's REST interface
    http.py           the HTTP session for a peer
    c_find.py         C-FIND, for all who ask a peer's index
    ledger.py         what became of every instance at every destination
    holdings.py       what a destination's own index says that it holds
    associate.py      an association for small questions, by pynetdicom
    sender.py         which way a peer wants
"""
