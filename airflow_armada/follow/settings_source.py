"""Where a site's settings come from, and how to notice that they have changed while jobs are followed."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from airflow_armada.client.settings import SiteSettings

FileState = tuple[str, int, int, int]


@dataclass(frozen=True)
class SettingsSource:
    """What gives the settings of a site. Sites of one name and one address are the same, however else they change.

    :param name: such as the id of a connection
    :param read: gives the settings as they are now
    :param interval: seconds between two readings
    """

    name: str
    read: Callable[[], Awaitable[SiteSettings]]
    interval: float


def tls_files(settings: SiteSettings) -> tuple[FileState, ...]:
    """Tell the state of a site's certificates and keys: equal as long as no file has been replaced or written to.

    :param settings: the site
    """
    used = [tls for tls in (settings.tls, settings.log_tls) if tls is not None]
    paths = {path for tls in used for path in (tls.ca_file, tls.cert_file, tls.key_file) if path}
    return tuple(_state(path) for path in sorted(paths))


def _state(path: str) -> FileState:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path, 0, 0, 0
    return path, status.st_ino, status.st_mtime_ns, status.st_size
