"""The page's addresses: what a visitor's browser may ask for and what it is answered."""

import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sftdec.demo.choices import Choices
from sftdec.demo.server import temporary_folder
from sftdec.demo.visits import ROOM, Busy, Gone, Visit, Visits
from sftdec.inference import STRONGEST, Only

HOSTS = ["127.0.0.1", "localhost", "[::1]"]  # another name that leads here is another site's trick
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
NAME_HEADER = "x-file-name"  # a header of our own: no other site's page can send a photo here
MASK_HEADER = "x-mask-bytes"
BYTES_PER_PIXEL = 8  # RGBA of 16 bits
MORE_BYTES = 16 * 1024 * 1024  # for what a file holds beside its pixels
STEM_BYTES = 160  # file systems take 255, and results' names are longer
PAGE_FILES = {"demo.css": "text/css", "demo.js": "text/javascript", "bee.jpg": "image/jpeg"}
COOKIE = "sftdec-demo"


@dataclass(frozen=True)
class Desk:
    """What the addresses share: ``check`` refuses what was given with a ``ValueError`` or ``OSError``."""

    choices: Choices
    work: Callable[[Visit], None]
    check: Callable[[Visit], None]
    max_megapixels: float
    colours: list[str]  # of the defocus map, from 0 to its largest
    room: int = ROOM  # bytes

    @property
    def largest(self) -> int:
        """Bytes that a photo, with a mask behind it, may have."""
        return int(self.max_megapixels * 1e6) * BYTES_PER_PIXEL + MORE_BYTES


class Page:
    """The endpoints; ``visits`` is there while the server runs."""

    visits: Visits

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    @asynccontextmanager
    async def open(self, app: Starlette) -> AsyncIterator[None]:
        """Make the folder for photos and start the thread that works on them; end and delete both."""
        self.visits = Visits(temporary_folder(), self.desk.work, room=max(self.desk.room, self.desk.largest))
        try:
            yield
        finally:
            await run_in_threadpool(self.visits.close)

    async def page(self, request: Request) -> Response:
        """The page itself."""
        template = jinja2.Template(_read("page.html.jinja").decode(), autoescape=True)
        choices, desk = self.desk.choices, self.desk
        shown = {"choices": choices.at_hand(), "default": choices.default.name, "limit": f"{desk.max_megapixels:g}"}
        strongest = round(100 * STRONGEST)
        return HTMLResponse(template.render(**shown, strongest=strongest, colours=",".join(desk.colours)))

    async def models(self, request: Request) -> Response:
        """What is registered; the page has the others already."""
        try:
            found = await run_in_threadpool(self.desk.choices.registered)
        except (ValueError, OSError) as error:
            return JSONResponse({"models": [], "message": str(error)})
        return JSONResponse({"models": [{"name": each.name, "label": each.label} for each in found], "message": ""})

    async def give(self, request: Request) -> Response:
        """Take a photo: its bytes are the body, its name a header, the model and what is wished are parameters.

        A mask's bytes come behind the photo's, their number in a header.
        """
        if NAME_HEADER not in request.headers:
            raise HTTPException(400, f"the header {NAME_HEADER} is missing")
        name = file_name(request.headers[NAME_HEADER])
        model = request.query_params.get("model", self.desk.choices.default.name)
        try:
            choice = await run_in_threadpool(self.desk.choices.find, model)
            if choice is None:
                raise HTTPException(400, f"{model}: there is no such model to choose; load the page again")
            visit = self.visits.arrive(name, choice, *_wished(request))
        except (ValueError, OSError, Busy) as error:
            raise HTTPException(503, str(error)) from error
        try:
            await self._receive(request, visit)
            _part(request, visit)
            await run_in_threadpool(self.desk.check, visit)
            self.visits.line_up(visit)
        except (ValueError, OSError, MemoryError, Busy, Gone, HTTPException, ClientDisconnect) as error:
            self.visits.leave(visit.token)
            if isinstance(error, HTTPException | ClientDisconnect):
                raise
            if isinstance(error, Busy):
                raise HTTPException(503, str(error)) from error
            if isinstance(error, MemoryError):
                told = f"{name}: no memory was left to read it; close other programs and give it again"
                raise HTTPException(503, told) from error
            raise HTTPException(422, sentence(str(error), visit)) from error
        return JSONResponse({"token": visit.token}, status_code=201)

    async def _receive(self, request: Request, visit: Visit) -> None:
        """Write what comes into the photo's file; what is announced has its room from the beginning."""
        most = self.desk.largest
        size = f"a photo of {self.desk.max_megapixels:g} megapixels has at most {most / 1e6:.0f} MB"
        length = request.headers.get("content-length", "")
        expected = int(length) if length.isdigit() else 0
        if expected > most:
            raise HTTPException(413, f"{visit.name} is too large: {size}")
        self.visits.make_room(visit, expected)
        received = 0
        with visit.source.open("wb") as opened:
            async for chunk in request.stream():
                received += len(chunk)
                if received > most:
                    raise HTTPException(413, f"{visit.name} is too large: {size}")
                self.visits.make_room(visit, max(0, received - expected))
                expected = max(expected, received)
                opened.write(chunk)

    async def state(self, request: Request) -> Response:
        """How far a photo is."""
        visit = self._visit(request)
        shown = {"state": visit.state, "step": visit.step, "done": visit.done, "of": visit.of, "facts": visit.facts}
        told = {"ahead": self.visits.ahead(visit), "message": sentence(visit.message, visit)}
        return JSONResponse(shown | told)

    async def file(self, request: Request) -> Response:
        """One of the pictures that the work names in ``facts["files"]``; as a download where it has a name for it."""
        visit = self._visit(request)
        found = visit.facts.get("files", {}).get(request.path_params["file"]) if visit.state == "done" else None
        if found is None:
            raise HTTPException(404, "there is no such picture")
        path = visit.folder / found["path"]
        return FileResponse(path, filename=found.get("download"))

    async def leave(self, request: Request) -> Response:
        """Delete a photo and what was made of it."""
        self.visits.leave(request.path_params["token"])
        return Response(status_code=204)

    def _visit(self, request: Request) -> Visit:
        visit = self.visits.find(request.path_params["token"])
        if visit is None:
            raise HTTPException(404, "this photo is no longer here; give it again")
        return visit


def _wished(request: Request) -> tuple[float, Only | None]:
    """Strength and ``only``, as far as they can be read; whether they make sense is asked with the photo."""
    strength, only = request.query_params.get("strength", "1"), request.query_params.get("only") or None
    try:
        return float(strength), cast(Only | None, only)
    except ValueError:
        raise HTTPException(400, f"strength: found {strength}, expected a number") from None


def _part(request: Request, visit: Visit) -> None:
    """Cut the mask from behind the photo."""
    told = request.headers.get(MASK_HEADER, "0")
    length, given = int(told) if told.isdigit() else -1, visit.source.stat().st_size
    if not 0 <= length <= given:
        raise HTTPException(400, f"the header {MASK_HEADER} is {told}, expected a mask's bytes, of {given} in all")
    if length:
        with visit.source.open("r+b") as opened:
            opened.seek(given - length)
            visit.mask.write_bytes(opened.read())
            opened.truncate(given - length)


async def static(request: Request) -> Response:
    """The page's style or script."""
    name = request.path_params["name"]
    if name not in PAGE_FILES:
        raise HTTPException(404, "there is no such file")
    return Response(_read(name), media_type=PAGE_FILES[name])


def make_app(desk: Desk, word: str = "") -> Starlette:
    """The page as an ASGI application; with a ``word``, for those who bring it, under any name of this machine."""
    guard = Middleware(_Word, word) if word else Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    page = Page(desk)
    token = "/photos/{token}"
    return Starlette(
        routes=[
            Route("/", page.page),
            Route("/page/{name}", static),
            Route("/models", page.models),
            Route("/photos", page.give, methods=["POST"]),
            Route(token, page.state),
            Route(token, page.leave, methods=["DELETE"]),
            Route(token + "/leave", page.leave, methods=["POST"]),  # all that a page which closes can send
            Route(token + "/{file}", page.file),
        ],
        middleware=[Middleware(_Headers), guard],
        exception_handlers={HTTPException: _refusal},
        lifespan=page.open,
    )


class _Headers:
    """Every answer's headers: nothing is kept, nothing comes from elsewhere."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(key.lower().encode(), value.encode()) for key, value in HEADERS.items()]
            await send(message)

        await self._app(scope, receive, with_headers)


class _Word:
    """Lets in who brings the word: once in the page's address, then in the cookie that is answered with."""

    def __init__(self, app: Any, word: str) -> None:
        self._app, self._word = app, word

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            told = request.query_params.get("word", "")
            known = [told, request.cookies.get(COOKIE, "")]
            if not any(secrets.compare_digest(each.encode(), self._word.encode()) for each in known):
                message = "open the whole address that sftdec demo has printed, with its word"
                return await JSONResponse({"message": message}, status_code=403)(scope, receive, send)
            if told:
                answer = RedirectResponse("/", status_code=303)
                answer.set_cookie(COOKIE, self._word, httponly=True, samesite="lax")
                return await answer(scope, receive, send)
        await self._app(scope, receive, send)


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, status_code=error.status_code)


def file_name(header: str) -> str:
    """A name for a file on this machine, out of what a browser sent (percent-encoded UTF-8): no folder, nothing that
    can't be seen, short enough for any file system, its ending kept.
    """
    last = unquote(header, errors="replace").replace("\\", "/").rpartition("/")[2]
    path = Path(re.sub(r"[\x00-\x1f\x7f<>:\"|?*]", "", last).strip().lstrip(".") or "photo")
    stem = path.stem.encode()[:STEM_BYTES].decode(errors="ignore")
    return f"{stem}{path.suffix[:10]}"


def sentence(message: str, visit: Visit) -> str:
    """A message for the visitor, who knows the photo's name but not where it lies here."""
    return message.replace(str(visit.source), visit.name).replace(str(visit.folder), "")


def _read(name: str) -> bytes:
    return files("sftdec.demo").joinpath("page", name).read_bytes()
