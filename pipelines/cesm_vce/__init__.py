"""Low-energy contrast mammogram in, virtual recombined image out."""
