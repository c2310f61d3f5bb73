"""Parts of `trainers.cesm_vce`.

pairs.py        pairs as the networks see them: framed, kept, varied
generators.py   the papers' generators at any width and square
critic.py       the 70 x 70 PatchGAN on display values
readout.py      the last layer by least squares: a trained model in seconds
null_test.py    from iodine that the image does not tell, nothing must be predicted
"""
