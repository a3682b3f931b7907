"""A browser for the screenshots: Chromium, spoken to by chromedriver's own protocol (W3C WebDriver)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from airflow_armada.local.processes import free_port, wait_until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key that the protocol gives an element's id."""


class Browser:
    """A headless Chromium.

    :param width: Of its window, in pixels.
    :param height: Of its window, in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        driver = shutil.which("chromedriver")
        if driver is None:
            raise RuntimeError("chromedriver is missing: install chromium and its driver (Debian: chromium-driver)")
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._profile = tempfile.TemporaryDirectory()
        self._driver = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL)
        try:
            wait_until(self._ready, "chromedriver", 60)
            arguments = [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--force-device-scale-factor=1",
                "--hide-scrollbars",
                f"--user-data-dir={self._profile.name}",
                f"--window-size={width},{height}",
            ]
            wanted = {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}
            self._session = self._call("POST", "/session", {"capabilities": wanted})["sessionId"]
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._call("DELETE", f"/session/{self._session}")
        finally:
            self._end()

    def open(self, url: str) -> None:
        """Go to a page."""
        self._ask("POST", "/url", {"url": url})

    def resize(self, width: int, height: int) -> None:
        """Give the window another size, in pixels."""
        self._ask("POST", "/window/rect", {"width": width, "height": height})

    def wait_for(self, text: str, deadline: float = 120.0) -> None:
        """Wait until the page shows a text."""
        wait_until(lambda: text in self.text(), f"{text!r} on the page", deadline, every=0.5)

    def text(self) -> str:
        """Return what the page shows."""
        return str(self.script("return document.body ? document.body.innerText : ''"))

    def script(self, source: str) -> Any:
        """Run JavaScript on the page."""
        return self._ask("POST", "/execute/sync", {"script": source, "args": []})

    def click(self, xpath: str, deadline: float = 60.0) -> None:
        """Click on an element as soon as it is there."""
        end = time.monotonic() + deadline
        while True:
            try:
                found = self._ask("POST", "/element", {"using": "xpath", "value": xpath})
                self._ask("POST", f"/element/{found[ELEMENT]}/click", {})
                return
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def picture(self, file: Path) -> None:
        """Write a PNG of what the window shows."""
        file.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def _ready(self) -> bool:
        try:
            return bool(self._call("GET", "/status")["ready"])
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._call(method, f"/session/{self._session}{path}", body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}{path}", method=method, data=data)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {json.load(error)['value']['message'][:300]}") from None

    def _end(self) -> None:
        self._driver.terminate()
        self._driver.wait(20)
        self._profile.cleanup()
