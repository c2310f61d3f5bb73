"""What can go wrong in this package.

The tree:

    ProfileError
    ├── UnreadableInstance     a file is not a DICOM instance we can read
    ├── GeometryError          positions, orientation or spacing do not make a grid
    ├── SeriesError            instances do not form one series that we can read
    └── DerivedObjectError     an object of ours would be, or is, wrong
"""

from __future__ import annotations


class ProfileError(ValueError):
    """The input or the derived object is not what the profile asks for."""


class UnreadableInstance(ProfileError):  # noqa: N818 - the field's word is instance
    """The file is not a DICOM instance that can be read."""


class GeometryError(ProfileError):
    """Positions, orientation or spacing do not make a regular grid."""


class SeriesError(ProfileError):
    """The instances do not form one series that can be read as a volume."""


class DerivedObjectError(ProfileError):
    """A derived object is wrong and must not leave the node."""
