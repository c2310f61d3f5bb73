"""Parts of `trainers.mr_to_ct`.

sources.py        sources of MR and CT by their prefix
couch.py          the CT without what the patient lies on
registration.py   the CT of a pair laid onto its MR by the bone
patches.py        patches: turned, zoomed, mirrored, shaded, noisy
"""
