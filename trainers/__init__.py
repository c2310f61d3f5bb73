"""Training and evaluation: data, losses, training scripts. Never imported by the node.

One readable script a pipeline, run by `python -m trainers.NAME` or `vscanner train NAME`:

    ldct_denoise.py     the low-dose CT denoiser
    mr_to_ct.py         CT from MR; parts in mr_ct/
    cesm_vce.py         virtual contrast; parts in cesm/
    ct_to_pet.py        CT to FDG PET, a model a district; parts in ct_pet/
    widening.py         a trained U-Net with twice the channels, to train on
    publishing/         trained weights into the folders that serve them
    calibrate_ct_to_pet.py, calibrate_ldct_denoise.py
                        which inputs a model knows, and how far is too far

What they are made of:

    training/           the one common way to train
    losses/, critics/   one idea a file
    readers/            public data sets and gathered ones, in one form
    simulation/         data with known truth
    metrics/            each with its data range and mask
    evaluation/         every method on unseen data, beside baselines
    configurations/     the paper's seven configurations of CT from MR
    errors.py           the root of what can go wrong
"""
