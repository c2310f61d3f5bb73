from __future__ import annotations

from pathlib import Path

import pydicom

from node.dispatch.outgoing import read_outgoing
from tests.synthetic import write_ct_series


def test_outgoing_is_what_the_file_says(tmp_path: Path) -> None:
    (path,) = write_ct_series(tmp_path, slices=1)
    ds, outgoing = pydicom.dcmread(path), read_outgoing(path)
    assert outgoing.sop_instance_uid == ds.SOPInstanceUID
    assert outgoing.sop_class_uid == ds.SOPClassUID
    assert outgoing.transfer_syntax_uid == ds.file_meta.TransferSyntaxUID
    assert path.read_bytes()[outgoing.offset :][:2] == b"\x08\x00"
