"""The tables. Audited ones are `cases`, `case_images`, `reviews`, `users` and `tokens`: see `audit`."""

from datetime import datetime
from typing import Literal

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from transxv2s.serve.db.base import Base, Moment

State = Literal["answered", "waiting", "reviewed", "deleted"]
Sex = Literal["female", "male"]
Confidence = Literal["low", "medium", "high"]
Role = Literal["uploader", "reviewer", "admin"]

NAME = 64  # longest name of a user, or of what a user names
DIGEST = 64  # hexadecimal digits of a sha256


class Case(Base):
    """Images of one lesion that were sent together.

    Attributes:
        id: uuid4, 32 hexadecimal digits.
        created_at: When.
        created_by: Name of the user, or "local".
        age: In years.
        sex: "female" or "male".
        site: One of `cases.SITES`.
        state: "answered" (not referred), "waiting" for an expert, "reviewed" or "deleted".
        urgency: See `worklist.urgency`.
        expires_at: When images, findings, comments and details are deleted.
        images_until: When images that are kept are deleted, as a review says; None: with the rest.
        salt: Random; makes digests in the audit trail useless for guessing what was deleted. Goes with it.
        images: By position.
        reviews: By number; the last one counts.
    """

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("state IN ('answered', 'waiting', 'reviewed', 'deleted')", name="state"),
        Index(None, "state", "urgency", "created_at"),
        Index(None, "expires_at"),
        Index(None, "images_until"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    created_by: Mapped[str] = mapped_column(String(NAME))
    age: Mapped[int | None]
    sex: Mapped[Sex | None] = mapped_column(String(8))
    site: Mapped[str | None] = mapped_column(String(32))
    state: Mapped[State] = mapped_column(String(8))
    urgency: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    images_until: Mapped[datetime | None] = mapped_column(Moment)
    salt: Mapped[str | None] = mapped_column(String(32))

    images: Mapped[list["CaseImage"]] = relationship(order_by="CaseImage.position", lazy="selectin")
    reviews: Mapped[list["Review"]] = relationship(order_by="Review.number", lazy="selectin")


class CaseImage(Base):
    """One image of a case.

    Attributes:
        id: Of the case, and the position: also the id of the finding.
        case_id: The case.
        position: From 0, as sent.
        digest: Of the image in the store; None where it is not kept.
        seen_digest: Of the square that the network saw; None where it is not kept.
        width: In pixels, upright.
        height: In pixels.
        finding: The finding as JSON; None once it is deleted.
    """

    __tablename__ = "case_images"
    __table_args__ = (UniqueConstraint("case_id", "position"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey(Case.id))
    position: Mapped[int]
    digest: Mapped[str | None] = mapped_column(String(DIGEST), index=True)
    seen_digest: Mapped[str | None] = mapped_column(String(DIGEST), index=True)
    width: Mapped[int]
    height: Mapped[int]
    finding: Mapped[str | None] = mapped_column(Text)


class Review(Base):
    """What an expert said of a case. Triggers refuse every change but the removal of the comment.

    Attributes:
        case_id: The case.
        number: From 1; a later review supersedes an earlier one.
        reviewer: Name of the user, or "local".
        created_at: When.
        diagnosis: Code of a class, or `review.OTHER`.
        agrees: Whether it is the class that was predicted for the case.
        confidence: "low", "medium" or "high".
        comment: May be empty; None once it is deleted.
    """

    __tablename__ = "reviews"
    __table_args__ = (CheckConstraint("confidence IN ('low', 'medium', 'high')", name="confidence"),)

    case_id: Mapped[str] = mapped_column(ForeignKey(Case.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reviewer: Mapped[str] = mapped_column(String(NAME))
    created_at: Mapped[datetime] = mapped_column(Moment)
    diagnosis: Mapped[str] = mapped_column(String(NAME))
    agrees: Mapped[bool]
    confidence: Mapped[Confidence] = mapped_column(String(6))
    comment: Mapped[str | None] = mapped_column(Text)


class AuditEntry(Base):
    """A link of the audit chain. Triggers refuse every change, and an entry that does not follow the last.

    Attributes:
        sequence: 1, 2, 3 … without a gap.
        at: When, as `iso` writes it.
        actor: Name of the user, "local" or "system".
        action: Such as "case.created".
        subject: Whose: id of a case or token, name of a user.
        payload_digest: sha256 of what the action left behind, see `audit`.
        previous: Digest of the entry before.
        digest: sha256 of all the other fields.
    """

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(NAME))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(NAME))
    payload_digest: Mapped[str] = mapped_column(String(DIGEST))
    previous: Mapped[str] = mapped_column(String(DIGEST), unique=True)
    digest: Mapped[str] = mapped_column(String(DIGEST), unique=True)


class User(Base):
    """Who may do something. Users are disabled, never deleted: the trail names them.

    Attributes:
        name: In lower case.
        role: "uploader", "reviewer", or "admin", who may do all.
        password_hash: Argon2's encoded form.
        created_at: When.
        disabled_at: Since when the user may not do anything; None for one who may.
    """

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role IN ('uploader', 'reviewer', 'admin')", name="role"),)

    name: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    role: Mapped[Role] = mapped_column(String(8))
    password_hash: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)


class UserSession(Base):
    """A browser that is logged in.

    Attributes:
        token_hash: sha256 of the token in the cookie.
        user_name: Who.
        created_at: When it was opened.
        seen_at: When it was last used, to the minute.
    """

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(String(DIGEST), primary_key=True)
    user_name: Mapped[str] = mapped_column(ForeignKey(User.name), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)

    user: Mapped[User] = relationship(lazy="joined")


class ApiToken(Base):
    """What lets a program act as its owner.

    Attributes:
        id: uuid4, 32 hexadecimal digits.
        owner: Name of the user whose role it has.
        name: What the owner calls it.
        token_hash: sha256 of the token.
        created_at: When.
        revoked_at: Since when it is void; None for one that works.
    """

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey(User.name), index=True)
    name: Mapped[str] = mapped_column(String(NAME))
    token_hash: Mapped[str] = mapped_column(String(DIGEST), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)

    user: Mapped[User] = relationship(lazy="joined")


class LoginAttempt(Base):
    """An attempt to log in that has not succeeded, kept as long as it counts.

    Attributes:
        id: Its number.
        key: sha256 of the user's name or of the address; people type passwords where names belong.
        at: When.
    """

    __tablename__ = "login_attempts"
    __table_args__ = (Index(None, "key", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(DIGEST))
    at: Mapped[datetime] = mapped_column(Moment)
