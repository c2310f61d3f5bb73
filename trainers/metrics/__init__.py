"""Metrics, one idea a file; import the module that you need.

Every metric is given its data range and its mask, and its record (`Measurement`) stores both:
most published numbers differ because of them.

    measurement          the record; data ranges and masks
    intensity            MAE, RMSE, PSNR
    similarity           SSIM
    visual_information   VIF
    synthrad             MAE, PSNR and 3-D MS-SSIM as SynthRAD 2025 defines them
    spectrum             radially averaged power spectrum, its distance; correlation of spectra
    noise_power          noise power spectrum in physical units
    histogram            KL divergence, correlation, intersection
    features             feature tables from images; any extractor
    radiomics            the default extractor, which needs no weights
    frechet              Frechet distance (FID, or radiomic by default)
    kernel_distance      KID
    prdc                 precision, recall, density, coverage
    resampling           mean and spread at equal sample counts
    segmentation         Dice, HD95
    uptake               SUVmax, SUVmean, MTV, TLG
    sharpness            blur, without a reference
    naturalness          a NIQE whose pristine images are yours, without a reference
    reading              blind readings: chi-squared tests, intervals, agreement

Images are (rows, columns), volumes (slices, rows, columns), sets of images (n, rows, columns).
"""
