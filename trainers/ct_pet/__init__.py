"""Parts of `trainers.ct_to_pet`.

bank.py      pairs of CT and PET on cubes, kept on the disk
patches.py   patches of them: turned, zoomed, mirrored, cut short
"""
