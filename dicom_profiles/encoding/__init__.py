"""Data sets to bytes to durable files, and output values to stored values.

part10.py          elements encoded once and joined per file; files written durably
element_bytes.py   single elements in Explicit VR Little Endian
outputs.py         a pipeline's output, slice by slice beside its sources
ct_pixels.py       HU to stored values: nothing saturates, padding comes back
ready.py           slices whose part of the file is made already
"""
