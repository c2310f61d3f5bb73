"""What a series is, told from its headers alone.

series.py          synthetic, localizer, reformat, low-dose CT; what the others share
whole_body_ct.py   whether a CT shows the whole body
mr.py              in-phase, opposed-phase, otherwise T1-weighted
mg.py              low energy, high energy, recombined, plain, other
"""
