"""Gathering images from a PACS to train on: find, fetch, decide by the routing rules, de-identify.

| file | does |
|---|---|
| `archive.py` | what an archive can be asked: the interface, and which way a peer offers |
| `dicomweb_archive.py` | the same by QIDO-RS and WADO-RS |
| `dimse_archive.py` | the same by C-FIND and C-GET |
| `wanted.py` | which series are worth fetching, and what the fetched ones are for |
| `gather.py` | study by study: fetched aside, decided, de-identified, kept, forgotten |
| `command.py` | what `vscanner train NAME --from PEER` does before it trains |
| `errors.py` | what can go wrong |
"""
