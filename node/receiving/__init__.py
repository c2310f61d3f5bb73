"""The parts of the receiver, from the wire upwards.

    pdu.py            reading whole PDUs from a socket, writing the small ones (PS3.8 9.3)
    negotiation.py    who may associate, and for what: A-ASSOCIATE-RQ to -AC or -RJ (PS3.8 7.1)
    dimse.py          command sets (PS3.7 annex E)
    services.py       C-ECHO, C-STORE, N-EVENT-REPORT: a message in, a response out
    reports.py        storage commitment reports (PS3.4 annex J), into the database
    performed_steps.py   modality performed procedure steps (PS3.4 annex F), into the database
    association.py    one association from its first byte to its end

`node.receiver` accepts connections and gives each of them a thread.
"""
