"""Prefect's REST API, called directly: 0.3 s to import and 60 MB less than Prefect's own client.

Protocol: `/docs` of any Prefect 3 server. Writes carry a CSRF token, which the server hands out to a client id.
"""

from __future__ import annotations

import base64
import os
import re
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from flows.services.prefect_errors import NO_API, OTHER_VERSION, explained
from metadata.settings import public

MAJOR = "3"
"""The version of Prefect's API that we speak."""


def basic(auth: str) -> dict[str, str]:
    """Header that says `user:password` to the server; none without one."""
    return {"Authorization": "Basic " + base64.b64encode(auth.encode()).decode()} if auth else {}


def given_headers() -> dict[str, str]:
    """Headers for a server that was given by URL, from the variables that Prefect itself reads."""
    key = os.environ.get("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else basic(os.environ.get("PREFECT_API_AUTH_STRING", ""))


class PrefectApi:
    """One connection to a Prefect server. Threads may share it; `close` it, or use it as a context manager."""

    def __init__(self, url: str, headers: Mapping[str, str], seconds: float = 5.0) -> None:
        """`url` ends in `/api`; a call that takes longer than `seconds` counts as a server that is not there."""
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=dict(headers), timeout=seconds, trust_env=False)
        self._url = public(url)
        self._id = str(uuid.uuid4())
        self._token: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """Read; None when there is nothing at `path` (404)."""
        return self._answer(self._send("GET", path, params=parameters))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create, or ask with a filter; None when there is nothing at `path` (404)."""
        return self._write("POST", path, body)

    def delete(self, path: str) -> None:
        """Delete; nothing happens when there is nothing at `path`."""
        self._write("DELETE", path, None)

    def healthy(self) -> bool:
        """Whether the server answers, and answers us: the call needs its database and our password."""
        try:
            return self._http.get("/work_pools/pilothouse").status_code in (200, 404)
        except httpx.HTTPError:
            return False

    def check(self) -> None:
        """Have the server answer us. Raises what `explained` makes of it when it does not, or is another than we need.

        Prefect Cloud tells no version: it follows the clients.
        """
        version = self.get("/admin/version")
        found = str(version)
        if version is None and not (urlsplit(self._url).hostname or "").endswith(".prefect.cloud"):
            raise explained(NO_API, "no /admin/version", {"url": self._url})
        if version is not None and found.partition(".")[0] != MAJOR:
            raise explained(OTHER_VERSION, found, {"url": self._url, "found": found, "expected": f"{MAJOR}.x"})
        self.get("/work_pools/pilothouse")

    def _write(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        answer = self._send(method, path, json=body, headers=self._csrf())
        if answer.status_code == 403 and "CSRF" in answer.text:
            self._token = None
            answer = self._send(method, path, json=body, headers=self._csrf())
        return self._answer(answer)

    def _csrf(self) -> dict[str, str]:
        if self._token is None:
            answer = self._send("GET", "/csrf-token", params={"client": self._id})
            self._token = str(answer.json()["token"]) if answer.is_success else ""
        return {"Prefect-Csrf-Token": self._token, "Prefect-Csrf-Client": self._id} if self._token else {}

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Ask; once more when the connection broke meanwhile, which a restart of the server does. A repeat is harmless:
        what is created carries a key, and states are set to what they are."""
        try:
            try:
                return self._http.request(method, path, **arguments)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                return self._http.request(method, path, **arguments)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            kind = type(error).__name__
            condition = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).upper()
            raise explained(condition, f"{kind}: {error}", {"url": self._url}) from error

    def _answer(self, answer: httpx.Response) -> Any:
        if answer.status_code == 404:
            return None
        parameters = {
            "url": self._url,
            "status": str(answer.status_code),
            "request": f"{answer.request.method} {answer.request.url.path}",
        }
        if not answer.is_success:
            raise explained(f"HTTP_{answer.status_code}", answer.text, parameters)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise explained(NO_API, answer.text, parameters) from error
