"""What a pipeline reads, as it was received.

source.py           what series and projections have in common; one or more by input key
series.py           `SourceSeries`: a stack of slices, sorted and proven to be a grid
projection.py       `SourceProjection`: one projection image (mammography)
geometry.py         Image Position and Orientation to one regular grid, or why not
pixels.py           stored values of a slice: decoded, rescaled, padding told apart
jpeg_headers.py     headers of lossless JPEG, proven before a decoder sees them
lossy.py            Lossy Image Compression: once 01, always 01
readable.py         elements that cannot be read are left out
character_sets.py   Specific Character Set in the words of the standard
"""
