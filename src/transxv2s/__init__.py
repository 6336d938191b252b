"""TransXV2S-Net: classification of skin lesions in dermoscopic images, for research."""

NOTICE = (
    "Research decision support only. This is not a diagnosis and must not replace examination by a clinician."
)

__all__ = ["NOTICE", "__version__"]
__version__ = "0.1.0"
