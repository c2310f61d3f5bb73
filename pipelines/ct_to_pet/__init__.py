"""Whole-body CT to synthetic FDG PET (SUVbw), with the body districts that it was made by."""
