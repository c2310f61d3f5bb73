"""MR of the abdomen or of a limb in, synthetic CT out."""
