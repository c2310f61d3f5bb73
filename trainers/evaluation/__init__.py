"""Evaluation: what a model does on data that it has not seen, beside baselines, in one run.

The files:

    ldct_denoise.py    the command: table, phantom, JSON and Markdown
    denoisers.py       the network and its rivals under one signature
    low_dose_table.py  PSNR, SSIM, RMSE at several doses
    phantom.py         noise power and low-contrast detectability on the phantom's repeated scans
"""
