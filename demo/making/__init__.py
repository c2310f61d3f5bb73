"""How the samples of the demonstration were made, one file a route.

The files:

    marked.py          what every sample says of itself; files of it
    low_dose_chest.py  an excerpt of a real CT with simulated low dose
    dual_echo.py       in-phase and opposed-phase MR, simulated from an excerpt of a real CT
    mammogram.py       a simulated low-energy mammogram
    whole_body.py      a simulated whole-body CT

No sample is marked Synthetic Data = YES, though all are simulated: each stands for an acquired
series, and the node rightly refuses synthetic input. Series Description, Image Comments and the
patient's name say what they are.
"""
