"""The parts of the spool, in the order in which an instance meets them.

    incoming.py     the folder `incoming/`: durable files as received, and notes on associations
    file_meta.py    the File Meta Information that is put in front of a data set, and read back
    elements.py     walking a data set element by element; finds truncation, decodes nothing
    attributes.py   the header as DICOM JSON, for the index
    admission.py    from `incoming/` to `spool/<study>/<series>/<instance>.dcm` and the index
    rows.py         the index rows: inserts that may be repeated
    rebuild.py      the index made anew from the files
    errors.py       what can be wrong with an instance

Others use `node.spool`, which is the door to all of it.
"""
