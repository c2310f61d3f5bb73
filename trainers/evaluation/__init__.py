"""Evaluation: what a model does on data that it has not seen, beside baselines, in one run.

One command for every pipeline (`vscanner evaluate NAME --data PLACES --out RESULTS`):

    case.py                  the interface: cases, methods, measures, a view
    measures.py              measures and quantities from `trainers.metrics`
    served.py                the pipeline as it is served, as a method
    mr_to_ct.py, cesm_vce.py, ct_to_pet.py
                             their cases, measures and views
    systems.py               several systems of one evaluation against one of them
    system_pictures.py       a few cases as one picture
    command.py               the command: read, measure, write
    measuring.py             every method in every region, one case in memory at a time
    results.py               the figures as rows, to and from JSON
    summary.py               means over patients, with intervals
    paired_tests.py          Wilcoxon's test over patients, Holm's correction
    agreement.py             Bland and Altman
    report.py, report.html   the report; its charts and pictures are in charts.py
    saving.py                outputs as NIfTI, for the ten-layer protocol
    card_figures.py          figures into the model card

The ten-layer protocol (`vscanner evaluate --protocol ten_layers`):

    ten_layers.py            the command
    layers.py                which part of the body a slice shows
    layer_images.py          series sorted into layers
    layer_scores.py          distances of two sets, from signatures computed once
    layer_draws.py           model against real, real against real, at equal counts
    layers_page.py, .html    its page

The study of paired and unpaired image quality (`--protocol paired_unpaired`):

    paired_unpaired.py       the command
    quality_blocks.py        blocks of neighbouring slices
    quality_scores.py        the fifteen scores
    quality_study.py         correlations, and regression by a decision tree
    quality_page.py, .html   its page

Low-dose CT, with measures of its own:

    ldct_denoise.py          the command: table, phantom, JSON and Markdown
    ldct_denoise_cases.py    low dose for the one command
    denoisers.py             the network and its rivals under one signature
    low_dose_table.py        PSNR, SSIM, RMSE at several doses
    phantom.py               noise power and low-contrast detectability on repeated scans
    simulation_check.py      simulated noise beside noise that was really scanned
    training_record.py       data, split, seeds, settings and digests of a run
    ldct_denoise_report.py   figures into report and model card
    ldct_denoise_figures.py  its pictures

Blind readings (`vscanner reading analyse`):

    reading_study.py         can readers tell real from synthetic?
"""
