"""Data with known truth; what is assumed stands on top of each file.

low_dose.py             the noise that a CT slice would have had at a lower dose
projection.py           parallel-beam projection and filtered back-projection
noise_calibration.py    the scanner whose full dose is as noisy as an acquired series
noise_bank.py           stacks of slices with noise ready to be inserted
dual_echo.py            in-phase and opposed-phase MR from a CT
drawn_breast.py         a drawn breast, and where iodine lies in it
dual_energy.py          its two exposures; dual_energy_tables.py makes their physics tables
mammogram_dicom.py      such an image as a mammogram that a scanner might have sent
whole_body.py           a body with known CT, uptake and districts
whole_body_anatomy.py   its organs, tissues and numbers
"""
