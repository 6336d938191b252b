"""What can be downloaded: addresses, published checksums, licences and citations, from the publishers' pages.

ISIC: https://challenge.isic-archive.com/data/ (files, licence, citations; its source is the public repository
ImageMarkup/stade, stade/core/templates/data/2018.html and 2019.html). The page names no checksums, so none is
known here. HAM10000: the files, their ids and their MD5 at https://doi.org/10.7910/DVN/DBW86T, version 4.0.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

CHALLENGES = "https://isic-archive.s3.amazonaws.com/challenges"
DATAVERSE = "https://dataverse.harvard.edu/api/access/datafile"
CC_BY_NC = "CC BY-NC 4.0, https://creativecommons.org/licenses/by-nc/4.0/"

TSCHANDL_2018 = (
    "Tschandl P., Rosendahl C. & Kittler H. The HAM10000 dataset, a large collection of multi-source "
    "dermatoscopic images of common pigmented skin lesions. Sci. Data 5, 180161 (2018). "
    "doi:10.1038/sdata.2018.161"
)
CODELLA_2017 = (
    "Codella N. C. F. et al. Skin Lesion Analysis Toward Melanoma Detection: A Challenge at the 2017 "
    "International Symposium on Biomedical Imaging (ISBI), Hosted by the International Skin Imaging "
    "Collaboration (ISIC). arXiv:1710.05006 (2017)"
)
CODELLA_2018 = (
    "Codella N. et al. Skin Lesion Analysis Toward Melanoma Detection 2018: A Challenge Hosted by the "
    "International Skin Imaging Collaboration (ISIC). arXiv:1902.03368 (2018)"
)
BCN20000 = (
    "Hernández-Pérez C. et al. BCN20000: Dermoscopic lesions in the wild. Sci. Data 11, 641 (2024). "
    "doi:10.1038/s41597-024-03387-w"
)
MASKS_2020 = (
    "Tschandl P. et al. Human–computer collaboration for skin cancer recognition. Nat. Med. 26, 1229–1234 "
    "(2020). doi:10.1038/s41591-020-0942-0 (if you use the lesion masks)"
)
COPYRIGHT_HAM = (
    "HAM10000 Dataset: (c) by ViDIR Group, Department of Dermatology, Medical University of Vienna"
)
COPYRIGHT_MSK = "MSK Dataset: (c) Anonymous; arXiv:1710.05006, arXiv:1902.03368"
COPYRIGHT_BCN = "BCN_20000 Dataset: (c) Department of Dermatology, Hospital Clínic de Barcelona"


@dataclass(frozen=True)
class RemoteFile:
    """One file of a publisher.

    Attributes:
        name: The publisher's file name, which is also its name on a mirror.
        address: Where the publisher keeps it.
        checksum: What the publisher says it must hash to, as `algorithm:hexadecimal`; None: he says nothing.
    """

    name: str
    address: str
    checksum: str | None = None

    @property
    def zipped(self) -> bool:
        """Whether it is an archive, which becomes a folder."""
        return self.name.endswith(".zip")

    @property
    def placed(self) -> str:
        """What the file becomes under the root: itself, or for an archive the folder of the same name."""
        return PurePosixPath(self.name).stem if self.zipped else self.name


@dataclass(frozen=True)
class Collection:
    """A data set to download.

    Attributes:
        title: Its name in sentences.
        page: The publisher's page.
        size: Of all its files together, as a reader wants to know before he says yes.
        licence: Its licence and where that stands.
        attribution: Who must be credited, in the publisher's words.
        citations: What a publication must cite.
        files: Its files, the small ones first, so that a mistake shows before gigabytes have come.
    """

    title: str
    page: str
    size: str
    licence: str
    attribution: tuple[str, ...]
    citations: tuple[str, ...]
    files: tuple[RemoteFile, ...]


def _challenge(year: int, *names: str) -> tuple[RemoteFile, ...]:
    return tuple(RemoteFile(name, f"{CHALLENGES}/{year}/{name}") for name in names)


COLLECTIONS = {
    "isic2019": Collection(
        title="ISIC 2019",
        page="https://challenge.isic-archive.com/data/#2019",
        size="about 14 GB",
        licence=CC_BY_NC,
        attribution=(COPYRIGHT_BCN, COPYRIGHT_HAM, COPYRIGHT_MSK),
        citations=(TSCHANDL_2018, CODELLA_2017, BCN20000),
        files=_challenge(
            2019,
            "ISIC_2019_Training_GroundTruth.csv",
            "ISIC_2019_Training_Metadata.csv",
            "ISIC_2019_Test_GroundTruth.csv",
            "ISIC_2019_Test_Metadata.csv",
            "ISIC_2019_Training_Input.zip",
            "ISIC_2019_Test_Input.zip",
        ),
    ),
    "isic2018": Collection(
        title="ISIC 2018 task 3",
        page="https://challenge.isic-archive.com/data/#2018",
        size="about 3.3 GB",
        licence=CC_BY_NC,
        attribution=(COPYRIGHT_HAM, COPYRIGHT_MSK),
        citations=(CODELLA_2018, TSCHANDL_2018),
        files=_challenge(
            2018,
            "ISIC2018_Task3_Training_LesionGroupings.csv",
            "ISIC2018_Task3_Training_GroundTruth.zip",
            "ISIC2018_Task3_Validation_GroundTruth.zip",
            "ISIC2018_Task3_Test_GroundTruth.zip",
            "ISIC2018_Task3_Validation_Input.zip",
            "ISIC2018_Task3_Test_Input.zip",
            "ISIC2018_Task3_Training_Input.zip",
        ),
    ),
    "ham10000": Collection(
        title="HAM10000",
        page="https://doi.org/10.7910/DVN/DBW86T",
        size="about 2.8 GB",
        licence=CC_BY_NC,
        attribution=(COPYRIGHT_HAM,),
        citations=(TSCHANDL_2018, MASKS_2020),
        files=(
            # Dataverse serves tables as .tab; its MD5 is that of the original CSV (IQSS/dataverse #7275)
            RemoteFile(
                "HAM10000_metadata.csv",
                f"{DATAVERSE}/4338392?format=original",
                "md5:8f85fb1aa29d80a2797247e434deb79d",
            ),
            RemoteFile(
                "HAM10000_segmentations_lesion_tschandl.zip",
                f"{DATAVERSE}/3838943",
                "md5:6e8d252e09cfdb0189199f15985a5b84",
            ),
            RemoteFile(
                "HAM10000_images_part_1.zip", f"{DATAVERSE}/3172585", "md5:4639bfa73ab251610530a97c898e6e46"
            ),
            RemoteFile(
                "HAM10000_images_part_2.zip", f"{DATAVERSE}/3172584", "md5:da43d6cc50f6613013be07e8986b384b"
            ),
        ),
    ),
}
