"""Training losses, one idea a file; import the module that you need.

    soft_glcm             differentiable co-occurrence: dense, and contrast in O(pixels)
    texture               multi-scale texture loss
    texture_aggregation   from a grid of differences to one number: max, mean, Frobenius, attention
    legacy_texture        the texture loss as its authors' public code behaves, for comparison only
    perceptual            distance in the features of any network
    filter_bank           fixed features that need no weights
    edge                  Charbonnier distance of Laplacians
    grid                  mean errors at the places of a grid, which enlarging layers draw
    ssim                  one minus structural similarity
    adversarial           LSGAN, BCE, WGAN
    gradient_penalty      WGAN-GP
    cycle                 cycle consistency and identity
    replay                earlier images, kept for the discriminator or as virtual pairs
    virtual_pair          virtual paired loss (our reconstruction; no publication to follow)

Images are tensors (batch, channels, rows, columns) in the network's own range; losses are scalars.
"""
