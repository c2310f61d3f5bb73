"""From a complete series to its jobs: rules over headers, and partners in the same study.

open_series.py        headers read while images arrive, and what the rules say of them
conditions.py         conditions over the headers of every instance of a stack; pure
rules.py              which rule takes a stack, and why each of the others does not; pure
pairing.py            which stacks of one study are the inputs of one job; pure
study_groups.py       the same for a study that still arrives, and how long it is waited for
routed_jobs.py        from the decision to its jobs
folder_decisions.py   the same decisions about a folder; nothing is done
"""
