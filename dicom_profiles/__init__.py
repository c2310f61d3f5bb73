"""The DICOM standard as this product uses it: reading series, writing derived objects.

No torch and no sockets here. Coordinates are LPS in millimetres; arrays are
(slices, rows, columns).
"""
