"""The DICOM standard as this product uses it: reading series, writing derived objects.

From files to volumes:

    reading.py                 files to headers, headers to series, series to volumes: `read_series`
    volume.py                  `Volume`: voxels with their unit and their place in the patient
    sources/                   series and projections as they were received, proven to be a grid
    recognition/               what a series is, told from its headers
    storage.py                 SOP classes and transfer syntaxes: accepted, decodable
    suv.py                     from activity to SUV: what a PET's headers must say
    dates.py                   which dates have come already

One file for each derived object:

    ct_denoised.py             denoised CT
    ct_from_mr.py              synthetic CT on the grid of its MR
    mg_virtual_contrast.py     virtual recombined mammogram
    pet_from_ct.py             synthetic PET; suv_map.py its parametric map
    district_segmentation.py   the body districts that a PET was made by
    qc_report.py               QC and provenance report, TID 1500
    presentation_label.py      the label as a presentation state
    rejection_note.py          a note that tells an archive to hide instances
    writers.py                 which of them writes the output of which pipeline
    preparing.py               images made ready while the network still runs
    checks/                    may these objects leave?

What they share:

    derived.py                 the common profile of every derived image
    companions.py              the same for what goes beside the images
    inherited.py               what is taken over from the source, and nothing else
    provenance.py              what was done, with what, to what: private group 0099
    equipment.py               who made an object: node, models, the scanner behind the source
    overlay.py                 the word SYNTHETIC in overlay plane 6000
    codes.py, uids.py          coded entries; deterministic UIDs
    ahead.py                   work on a stream in a few threads, in order, memory bounded
    encoding/                  data sets to bytes to durable files; values to stored values
    deidentification/          images without their patient, to train on
    errors.py                  what can go wrong

No torch and no sockets here. Coordinates are LPS in millimetres; arrays are
(slices, rows, columns).
"""
