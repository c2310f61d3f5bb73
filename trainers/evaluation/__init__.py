"""Evaluation: what a model does on data that it has not seen, beside baselines, in one run.

The files:

    ldct_denoise.py          the command: table, phantom, JSON and Markdown
    denoisers.py             the network and its rivals under one signature
    low_dose_table.py        PSNR, SSIM, RMSE at several doses
    phantom.py               noise power and low-contrast detectability on repeated scans
    simulation_check.py      simulated noise beside noise that was really scanned
    training_record.py       data, split, seeds, settings and digests of a run
    ldct_denoise_report.py   figures into report and model card
    ldct_denoise_figures.py  its pictures
"""
