"""The node's own check: may these derived objects leave?

check.py            the check of all objects of a job
checked_object.py   one object as it sees it: read, digested, references found
iod.py              the attributes that the standard wants (PS3.3 annex A)
kinds.py            which further checks an object gets by what it is
ct_denoised.py, ct_from_mr.py, mg_virtual_contrast.py, pet_from_ct.py
                    those checks, one file a kind
"""
