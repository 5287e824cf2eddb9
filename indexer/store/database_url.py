"""The URL of a database: what is understood is accepted, everything else refused with the remedy.

A parameter that is passed on unread may move the data elsewhere, keep them in memory, or make the database read-only.
"""

from __future__ import annotations

import os
import re

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dedup.errors import UsageError
from indexer.files import SIDE_FILES

_FORMS = "write postgresql://user@host/name or sqlite:///path."
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
}
"""The drivers that a URL may name, and ours."""

_WHOLE = re.compile(r"\d{1,9}")
_ANY = re.compile(r".+")
_PARAMETERS = {
    "host": _ANY,
    "port": re.compile(r"\d{1,5}(,\d{1,5})*"),
    "password": _ANY,
    "passfile": _ANY,
    "application_name": _ANY,
    "sslmode": re.compile("disable|allow|prefer|require|verify-ca|verify-full"),
    **dict.fromkeys(("sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslcrldir"), _ANY),
    "sslnegotiation": re.compile("postgres|direct"),
    "channel_binding": re.compile("disable|prefer|require"),
    "gssencmode": re.compile("disable|prefer|require"),
    "krbsrvname": _ANY,
    "target_session_attrs": re.compile("any|read-write|primary"),
    **dict.fromkeys(("connect_timeout", "tcp_user_timeout"), _WHOLE),
    **dict.fromkeys(("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"), _WHOLE),
}
"""The parameters of a PostgreSQL URL that neither choose another database nor change what is kept, and their values."""

_PUBLIC_PARAMETERS = {"host", "hostaddr", "port", "dbname", "user", "service", "sslmode", "connect_timeout"}
"""Parameters of a URL that messages may show."""

_PARAMETERS_FOR_READING = _PARAMETERS | {"options": _ANY, "target_session_attrs": _ANY}
_MAX_PORT = 65_535


def parse_url(address: str) -> URL:
    """Parse the URL of a SQLite file or a PostgreSQL database and set the driver we use.

    Raises:
        UsageError: not a URL, another kind of database or driver, no database named, or a parameter that is not
            understood.

    """
    url = parsed(address, "The database URL")
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql", "postgres"):
        raise UsageError(f"Databases of type {kind!r} are not supported; use sqlite or postgresql.")
    return checked(url, "The database URL")


def parsed(address: str, what: str) -> URL:
    """Return a URL of any database; ``what`` begins the message of the error.

    Raises:
        UsageError: not a URL, or one with control characters.

    """
    try:
        url = make_url(address)
        address.encode()
        parts = (url.username, url.password, url.host, url.database, *url.query)
        if any(re.search(r"[\0-\x1f\x7f]", str(part or "")) for part in (address, *parts)):
            raise ValueError("control characters")
    except (ArgumentError, ValueError):
        raise UsageError(f"{what} is invalid; {_FORMS}") from None
    if "@" in (url.host or ""):  # it would be shown as a part of the host
        raise UsageError(f"{what} has more than one @; write one that is part of a password as %40.")
    return url


def checked(url: URL, what: str, *, for_reading: bool = False) -> URL:
    """Return a SQLite or PostgreSQL URL with the driver we use.

    ``for_reading`` also allows parameters that could change what is kept, such as the options of a session.

    Raises:
        UsageError: it names another driver or no database, or has a part that is not understood.

    """
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise UsageError(f"{what} names the driver {url.drivername!r}; {_FORMS}")
    check = _sqlite_fault if driver == "sqlite" else _postgresql_fault
    if fault := check(url, for_reading):
        raise UsageError(f"{what} {fault}")
    return url.set(drivername=driver)


def shown(url: URL) -> str:
    """Return a URL for people to read: without a password and parameters that may hold one; always valid UTF-8."""
    if url.database:
        url = url.set(database=url.database.encode(errors="replace").decode())
    return url.set(query=_public(url)).render_as_string(hide_password=True)


def without_secrets(url: URL, message: str) -> str:
    """Return a message of a driver without the password and other secrets of its URL."""
    hidden = [value for name, value in url.query.items() if name not in _public(url)]
    secrets = [url.password, *(part for value in hidden for part in ([value] if isinstance(value, str) else value))]
    for secret in filter(None, secrets):
        message = re.sub(rf"(?<!\w){re.escape(str(secret))}(?!\w)", "***", message)
    return message


def _public(url: URL) -> dict[str, str | tuple[str, ...]]:
    return {name: value for name, value in url.query.items() if name in _PUBLIC_PARAMETERS}


def _sqlite_fault(url: URL, _: bool) -> str:
    database = url.database or ""
    if url.host or url.username or url.password or url.port:
        return "names a host or user, which a SQLite file does not have; write sqlite:///path with three slashes."
    if not database.strip() or database == ":memory:":
        return "names a SQLite database in memory, which would not be saved; name a file: sqlite:///path."
    if database.lower().startswith("file:"):
        return f"names {database!r}, a URI of SQLite; write the path of the file: sqlite:///path."
    if database.endswith(SIDE_FILES):
        return f"names {database!r}, which SQLite or neardup could remove as a file beside another database; rename it."
    if url.query:
        listed = ", ".join(map(repr, url.query))
        return f"has the parameters {listed}; a SQLite file takes none: leave out what follows the question mark."
    return ""


def _postgresql_fault(url: URL, for_reading: bool) -> str:
    if not url.database:
        return "names no database; write postgresql://user@host/name."
    if url.port is not None and not 0 < url.port <= _MAX_PORT:
        return f"has the port {url.port}; ports are 1 to {_MAX_PORT}."
    allowed = _PARAMETERS_FOR_READING if for_reading else _PARAMETERS
    for name, value in url.query.items():
        values = (value,) if isinstance(value, str) else value
        if name not in allowed:
            return f"has the parameter {name!r}, which is not supported; leave it out. Supported: {', '.join(allowed)}."
        if len(values) > 1 and name != "host":
            return f"has the parameter {name!r} twice; remove one."
        if not all(map(allowed[name].fullmatch, values)):
            shown = "" if "password" in name else f" {values[0]!r}"
            return f"has the parameter {name!r} with an invalid value{shown}; correct it or leave it out."
    if any(not 0 < int(port) <= _MAX_PORT for port in str(url.query.get("port", "1")).split(",")):
        return f"has the port {url.query['port']!r}; ports are 1 to {_MAX_PORT}."
    for name, given in (("host", url.host), ("port", url.port)):
        if given is not None and name in url.query:
            return f"names the {name} twice, before and after the question mark; remove one."
    return ""


def absolute_url(url: str) -> str:
    """Return the URL of a SQLite file with an absolute path, so that it stays the same file in another directory."""
    parsed: URL = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        parsed = parsed.set(database=os.path.abspath(parsed.database))
    return parsed.render_as_string(hide_password=False)
