"""A form with images, read into memory alone: what is sent may hold names, and must not touch the disk."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from pydantic import ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from transxv2s.errors import InputError
from transxv2s.serve.api.context import TheServer
from transxv2s.serve.cases import OLDEST, SITES, Details
from transxv2s.serve.errors import UploadTooLargeError
from transxv2s.serve.settings import Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

IMAGES = "images"
HEADER_BYTES = 4096  # of one header of a part
FORM = "multipart/form-data"
NO_FORM = f"Send the images as a form ({FORM}), each in a field called {IMAGES}."
HINTS = {
    "age": "The age must be a whole number of years from 0 to 120, or be left out.",
    "sex": "The sex must be female or male, or be left out.",
    "site": f"The site must be one of {', '.join(SITES)}, or be left out.",
}
SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": [IMAGES],
                    "additionalProperties": False,
                    "properties": {
                        IMAGES: {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                            "description": "Images of one lesion: JPEG, PNG, WebP, BMP, TIFF or DICOM.",
                        },
                        "age": {
                            "type": "integer",
                            "minimum": 0,
                            "maximum": 120,
                            "description": f"In years; {OLDEST} stands for {OLDEST} and more.",
                        },
                        "sex": {"type": "string", "enum": ["female", "male"]},
                        "site": {"type": "string", "enum": list(SITES)},
                    },
                },
                "encoding": {IMAGES: {"contentType": "image/png, image/jpeg, application/dicom"}},
            }
        },
    }
}


@dataclass(frozen=True)
class Upload:
    """What was sent: files as they came, and what is told of the patient."""

    images: list[bytes]
    details: Details


async def read_upload(request: Request, server: TheServer) -> Upload:
    """Parses the form.

    Raises:
        InputError: It is no such form.
        UploadTooLargeError: A file has too many bytes.
        UploadTooSlowError: It did not arrive in time.
    """
    parts = await _parts(request, server.settings)
    images = [bytes(content) for name, content in parts if name == IMAGES]
    told = [(name, content) for name, content in parts if name != IMAGES]
    names = [name for name, _ in told]
    if not set(names) <= set(HINTS) or len(set(names)) < len(names):
        raise InputError(f"The form has a field that is not known, or one twice. {NO_FORM}")
    if not images:
        raise InputError(NO_FORM)
    return Upload(images, _details({name: text.decode("utf-8", "replace").strip() for name, text in told}))


Sent = Annotated[Upload, Depends(read_upload)]


async def _parts(request: Request, settings: Settings) -> list[tuple[str, bytearray]]:
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    if kind != FORM.encode() or not options.get(b"boundary"):
        raise InputError(NO_FORM)
    form = _Form(settings)
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
    except FormParserError:
        raise InputError(f"The form cannot be read. {NO_FORM}") from None
    return form.parts


class _Form:
    """The parts of a form, collected as they arrive; not the names of files, which may be a patient's."""

    def __init__(self, settings: Settings) -> None:
        self.parts: list[tuple[str, bytearray]] = []
        self._settings = settings
        self._head = (bytearray(), bytearray())  # name and value of a header of a part
        self._disposition = b""

    def callbacks(self) -> "MultipartCallbacks":
        """For the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header(0, data[start:end]),
            "on_header_value": lambda data, start, end: self._header(1, data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._named,
            "on_part_data": lambda data, start, end: self._more(data[start:end]),
        }

    def _begin(self) -> None:
        self._disposition = b""

    def _header(self, part: int, data: bytes) -> None:
        self._head[part].extend(data)
        if len(self._head[part]) > HEADER_BYTES:
            raise InputError(f"The form cannot be read. {NO_FORM}")

    def _header_end(self) -> None:
        name, value = self._head
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        name.clear()
        value.clear()

    def _named(self) -> None:
        _, options = parse_options_header(self._disposition)
        self.parts.append((options.get(b"name", b"").decode("utf-8", "replace"), bytearray()))
        if sum(name == IMAGES for name, _ in self.parts) > self._settings.max_images_per_case:
            raise InputError(f"A case has 1 to {self._settings.max_images_per_case} images: send them apart.")
        if len(self.parts) > self._settings.max_images_per_case + len(HINTS):
            raise InputError(f"The form has too many fields. {NO_FORM}")

    def _more(self, data: bytes) -> None:
        name, content = self.parts[-1]
        content.extend(data)
        if name == IMAGES and len(content) > self._settings.max_upload_bytes:
            most = self._settings.max_upload_bytes / 1e6
            raise UploadTooLargeError(f"An image is larger than {most:g} MB; make it smaller.")


def _details(told: dict[str, str]) -> Details:
    """What a form tells; a field that was left empty tells nothing."""
    try:
        return Details.model_validate({name: text for name, text in told.items() if text})
    except ValidationError as error:
        raise InputError(HINTS[str(error.errors()[0]["loc"][0])]) from None
