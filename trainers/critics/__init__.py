"""Critics that several trainers share (Isola et al. 2017).

patch_critic.py      the 70 x 70 PatchGAN
patch_critic_3d.py   the three-layer 3-D one
"""
