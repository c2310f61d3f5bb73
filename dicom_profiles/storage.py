"""Storage SOP classes and transfer syntaxes: what is accepted and what can be decoded.

Tables only (PS3.4 annex B.5, PS3.5 annex A). The receiver accepts everything
here and writes it as received; pixels are decoded much later, by a worker, and
a syntax without a decoder then gives a sentence, not a surprise.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import uid
from pydicom.uid import UID

# PS3.4 annex B.5: the storage classes of routes, sources and companions, and what else lies in
# their studies. Orthanc stops sending a study at the first instance that a peer does not take.
STORAGE_CLASSES: dict[UID, str] = {
    uid.CTImageStorage: "CT",
    uid.EnhancedCTImageStorage: "CT",
    uid.MRImageStorage: "MR",
    uid.EnhancedMRImageStorage: "MR",
    uid.PositronEmissionTomographyImageStorage: "PT",
    uid.EnhancedPETImageStorage: "PT",
    uid.DigitalMammographyXRayImageStorageForPresentation: "MG",
    uid.DigitalMammographyXRayImageStorageForProcessing: "MG",
    uid.BreastTomosynthesisImageStorage: "MG",
    uid.BreastProjectionXRayImageStorageForPresentation: "MG",
    uid.BreastProjectionXRayImageStorageForProcessing: "MG",
    uid.DigitalXRayImageStorageForPresentation: "DX",
    uid.DigitalXRayImageStorageForProcessing: "DX",
    uid.ComputedRadiographyImageStorage: "CR",
    uid.SecondaryCaptureImageStorage: "OT",
    uid.SegmentationStorage: "SEG",
    uid.ParametricMapStorage: "OT",
    uid.RTStructureSetStorage: "RTSTRUCT",
    uid.RTDoseStorage: "RTDOSE",
    uid.RTPlanStorage: "RTPLAN",
    uid.BasicTextSRStorage: "SR",
    uid.EnhancedSRStorage: "SR",
    uid.ComprehensiveSRStorage: "SR",
    uid.Comprehensive3DSRStorage: "SR",
    uid.XRayRadiationDoseSRStorage: "SR",
    uid.KeyObjectSelectionDocumentStorage: "KO",
    uid.GrayscaleSoftcopyPresentationStateStorage: "PR",
    uid.LegacyConvertedEnhancedCTImageStorage: "CT",
    uid.LegacyConvertedEnhancedMRImageStorage: "MR",
    uid.LegacyConvertedEnhancedPETImageStorage: "PT",
    uid.EnhancedMRColorImageStorage: "MR",
    uid.MRSpectroscopyStorage: "MR",
    uid.NuclearMedicineImageStorage: "NM",
    uid.UltrasoundImageStorage: "US",
    uid.UltrasoundMultiFrameImageStorage: "US",
    uid.XRayAngiographicImageStorage: "XA",
    uid.XRayRadiofluoroscopicImageStorage: "RF",
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage: "OT",
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage: "OT",
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage: "OT",
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage: "OT",
    uid.RawDataStorage: "OT",
    uid.EncapsulatedPDFStorage: "DOC",
    uid.EncapsulatedCDAStorage: "DOC",
    uid.MammographyCADSRStorage: "SR",
    uid.ChestCADSRStorage: "SR",
    uid.ColonCADSRStorage: "SR",
    uid.RadiopharmaceuticalRadiationDoseSRStorage: "SR",
    uid.ProcedureLogStorage: "SR",
    uid.ColorSoftcopyPresentationStateStorage: "PR",
    uid.BlendingSoftcopyPresentationStateStorage: "PR",
    uid.SpatialRegistrationStorage: "REG",
    uid.DeformableSpatialRegistrationStorage: "REG",
    uid.SpatialFiducialsStorage: "FID",
    uid.RealWorldValueMappingStorage: "RWV",
    uid.SurfaceSegmentationStorage: "SEG",
    uid.RTImageStorage: "RTIMAGE",
}
"""SOP Class UID to the Modality (0008,0060) that its instances usually carry."""

MULTI_FRAME_CLASSES = frozenset(
    {
        uid.EnhancedCTImageStorage,
        uid.EnhancedMRImageStorage,
        uid.EnhancedPETImageStorage,
        uid.LegacyConvertedEnhancedCTImageStorage,
        uid.LegacyConvertedEnhancedMRImageStorage,
        uid.LegacyConvertedEnhancedPETImageStorage,
    }
)
"""Classes that hold many slices in one instance; no route reads them yet."""


@dataclass(frozen=True)
class TransferSyntax:
    """One row of PS3.5 annex A as this product sees it.

    Attributes:
        uid: Transfer Syntax UID.
        decoder: pydicom's plug-in that decodes it, "" where pixels are not compressed or no
            decoder is here.
        lossy: Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1) where writing pixels
            in it may have lost something, else "".
    """

    uid: UID
    decoder: str = ""
    lossy: str = ""

    @property
    def decodable(self) -> bool:
        """Whether the pixels can be decoded here."""
        return bool(self.decoder) or not self.uid.is_encapsulated


# Wanted first. One decoder each: pydicom would try all, and GDCM ends the whole process at many
# damaged pixels (JPEG 2000: one in four). It is left where nothing else decodes. 12-bit JPEG
# Extended has no decoder under a permissive licence, so it is stored and its pixels stay closed.
TRANSFER_SYNTAXES: tuple[TransferSyntax, ...] = (
    TransferSyntax(uid.ExplicitVRLittleEndian),
    TransferSyntax(uid.ImplicitVRLittleEndian),
    TransferSyntax(uid.DeflatedExplicitVRLittleEndian),
    TransferSyntax(uid.ExplicitVRBigEndian),
    TransferSyntax(uid.JPEGLSLossless, "pyjpegls"),
    TransferSyntax(uid.JPEG2000Lossless, "pylibjpeg"),
    TransferSyntax(uid.HTJ2KLossless, "pylibjpeg"),
    TransferSyntax(uid.HTJ2KLosslessRPCL, "pylibjpeg"),
    TransferSyntax(uid.JPEGLosslessSV1, "gdcm"),
    TransferSyntax(uid.JPEGLossless, "gdcm"),
    TransferSyntax(uid.RLELossless, "pydicom"),
    TransferSyntax(uid.JPEGLSNearLossless, "pyjpegls", lossy="ISO_14495_1"),
    TransferSyntax(uid.JPEG2000, "pylibjpeg", lossy="ISO_15444_1"),
    TransferSyntax(uid.HTJ2K, "pylibjpeg", lossy="ISO_15444_15"),
    TransferSyntax(uid.JPEGBaseline8Bit, "pillow", lossy="ISO_10918_1"),
    TransferSyntax(uid.JPEGExtended12Bit, lossy="ISO_10918_1"),
)

ACCEPTED_TRANSFER_SYNTAXES: tuple[UID, ...] = tuple(row.uid for row in TRANSFER_SYNTAXES)
"""Every syntax that the receiver stores, the ones we would rather get first."""

_BY_UID = {row.uid: row for row in TRANSFER_SYNTAXES}


def can_decode(transfer_syntax: str) -> bool:
    """Whether pixels in this transfer syntax can be decoded here."""
    row = _BY_UID.get(UID(transfer_syntax))
    return row is not None and row.decodable


def decoder_of(transfer_syntax: str) -> str:
    """Plug-in of pydicom that decodes pixels in this transfer syntax, "" where it needs none."""
    row = _BY_UID.get(UID(transfer_syntax))
    return row.decoder if row is not None else ""


def is_lossy(transfer_syntax: str) -> bool:
    """Whether this transfer syntax may have lost something of the pixels."""
    return bool(lossy_method(transfer_syntax))


def lossy_method(transfer_syntax: str) -> str:
    """Lossy Image Compression Method (0028,2114) of this transfer syntax, "" when lossless."""
    row = _BY_UID.get(UID(transfer_syntax))
    return row.lossy if row is not None else ""


def why_not_decodable(transfer_syntax: str) -> str:
    """The sentence for pixels that stay closed; name the syntax and the way out."""
    return (
        f"Pixels in transfer syntax {UID(transfer_syntax).name} cannot be decoded here; "
        "ask the sender for Explicit VR Little Endian, JPEG-LS, JPEG 2000, JPEG Lossless or RLE."
    )
