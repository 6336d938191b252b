"""What the routes answer, as JSON."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from transxv2s.finding import Finding
from transxv2s.serve.db.models import Confidence, Role, Sex, State
from transxv2s.serve.settings import Keep
from transxv2s.taxonomy import Behaviour
from transxv2s.trust.policy import Decision


class Status(BaseModel):
    """Whether the server runs, or can take work."""

    status: Literal["ok", "ready", "starting"]


class Image(BaseModel):
    """One image of a case; the addresses are null where it is not kept any more."""

    width: int
    height: int
    available: bool
    original: str | None
    seen: str | None


class Review(BaseModel):
    """What an expert said; of several the last one counts."""

    number: int
    reviewer: str
    created_at: datetime
    diagnosis: str
    agrees: bool
    confidence: Confidence
    comment: str


class Case(BaseModel):
    """Images of one lesion with their findings; `images` and `findings` have the same order.

    Attributes:
        expires_at: When all of it is deleted.
        images_until: When the images of a reviewed case are deleted; null where they go with the rest, or
            are not kept.
        predicted: Code of the class that most images are taken for, in doubt the more probable one.
        predicted_name: The same in words.
        probabilities: Means over the images.
    """

    id: str
    created_at: datetime
    created_by: str
    state: State
    age: int | None
    sex: Sex | None
    site: str | None
    expires_at: datetime
    images_until: datetime | None
    images_kept: bool
    decision: Decision
    predicted: str
    predicted_name: str
    probabilities: dict[str, float]
    reasons: list[str]
    findings: list[Finding]
    images: list[Image]
    reviews: list[Review]


class WaitingCase(BaseModel):
    """A case in the worklist.

    Attributes:
        expires_at: When it is deleted, seen by an expert or not.
        malignant: Probability of a malignant class in the worst image, which is the one where it is highest.
        may_be: What cannot be ruled out of the worst image.
        thumbnail: Address of the worst image as the network saw it.
    """

    id: str
    created_at: datetime
    expires_at: datetime
    state: State
    urgency: float
    malignant: float
    predicted: str
    predicted_name: str
    may_be: str
    reasons: list[str]
    age: int | None
    sex: Sex | None
    site: str | None
    images: int
    thumbnail: str | None


class Worklist(BaseModel):
    """A page of the worklist; `next` goes into `after` for the next page."""

    waiting: int
    cases: list[WaitingCase]
    next: str | None


class Node(BaseModel):
    """A position that the adaptive sampling chose, as shares of the picture's width and height."""

    x: float
    y: float
    weight: float


class Mask(BaseModel):
    """A context mask on the module's grid, between 0 and 1."""

    rows: int
    columns: int
    values: list[list[float]]


class Module(BaseModel):
    """One graph module."""

    name: str
    title: str
    nodes: list[Node]
    mask: Mask | None


class Attention(BaseModel):
    """What the network's graph modules attend to, first to last."""

    modules: list[Module]


class Diagnosis(BaseModel):
    """What an expert may choose."""

    code: str
    name: str


class DiagnosticClass(Diagnosis):
    """A class of the network."""

    malignancy: Behaviour


class Method(BaseModel):
    """A way to make a heat map."""

    name: str
    title: str
    per_class: bool
    note: str
    default: bool


class Limits(BaseModel):
    """What is taken."""

    max_upload_bytes: int
    max_images_per_case: int
    max_pixels: int


class About(BaseModel):
    """The network, what can be said and asked, and what is kept."""

    model: str
    checkpoint: str
    calibrated: bool
    notice: str
    classes: list[DiagnosticClass]
    sites: list[str]
    sexes: list[str]
    diagnoses: list[Diagnosis]
    confidences: list[str]
    methods: list[Method]
    limits: Limits
    keep: Keep
    retention_days: int
    export_days: int
    recent_minutes: float
    age_cap: int


class Session(BaseModel):
    """Who is signed in; `csrf` goes into the header X-CSRF-Token of every change."""

    mode: Literal["local", "users"]
    name: str
    roles: list[Role]
    csrf: str | None


class User(BaseModel):
    """Who may do something."""

    name: str
    role: Role
    created_at: datetime
    disabled: bool


class Token(BaseModel):
    """An API token; the token itself is told once, when it is made."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    owner: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


class NewToken(Token):
    """A token that has just been made."""

    token: str
