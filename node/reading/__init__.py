"""Blind readings: readers say of each case whether it is real or synthetic, without a hint.

    errors.py      what can go wrong
    words.py       judgements and reasons that readers choose from
    study.py       what a reading is made of: the public file, the readers, the order of the cases
    key.py         the sealed key: the truth of every case, committed to by its digest
    material.py    folders of DICOM to candidates, each with its truth proven from its headers
    choosing.py    pure: which candidates become cases, so that no patient is seen twice
    likeness.py    pure: one grid and one scale of values for all cases, or a sentence why not
    making.py      `make_reading`: candidates to files that differ in their pixels only
    answers.py     the answers: durable before they are acknowledged, every revision kept
    folder.py      the folder of one reading: its files, its images, opening of the key
    export.py      answers as JSON, with the truth once the key is opened

The page is `node.web.reading`, the command `vscanner reading`; the analysis is the trainers'.
Nothing that the web process can read holds the truth before the key is opened.
"""
