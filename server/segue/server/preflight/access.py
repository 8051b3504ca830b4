"""Checks of certificates and tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from segue.core.errors import SegueError
from segue.core.quantities import quantity
from segue.server.preflight.check_result import CheckResult
from segue.server.security.exposure import exposure_warnings
from segue.server.security.tls import certificate_end, read_certificates, tls_files
from segue.server.security.tokens import read_grants
from segue.server.settings import Settings

_SOON_DAYS = 14
_RENEW = "Renew it; the server reloads it without a restart."


def check_certificates(settings: Settings) -> Iterator[CheckResult]:
    """Checks the certificate that clients see, if there is one."""
    try:
        end = _visible_certificate_end(settings)
    except SegueError as error:
        yield CheckResult("certificate", "fail", str(error))
        return
    if end:
        yield _check_lifetime((end - datetime.now(UTC)).total_seconds() / 86_400)


def _visible_certificate_end(settings: Settings) -> datetime | None:
    """Returns the end of the certificate of this server, or of the load balancer in front, or None."""
    if files := tls_files(settings):
        return read_certificates(files).not_after
    if settings.balancer_certificate:
        return certificate_end("balancer-certificate", settings.balancer_certificate)
    return None


def _check_lifetime(days: float) -> CheckResult:
    if days < 0:
        return CheckResult("certificate", "fail", f"it expired {quantity(round(-days), 'day')} ago", _RENEW)
    if days < _SOON_DAYS:
        return CheckResult("certificate", "warn", f"it expires in {quantity(round(days), 'day')}", _RENEW)
    return CheckResult("certificate", "ok", f"it can be used, and expires in {quantity(round(days), 'day')}")


def check_tokens(settings: Settings) -> Iterator[CheckResult]:
    """Checks the token file if there is one, and warns about an open port."""
    if settings.tokens:
        try:
            grants = read_grants(settings.tokens)
        except SegueError as error:
            yield CheckResult("tokens", "fail", str(error))
        else:
            yield _check_names([grant.name for grant in grants])
    for warning in exposure_warnings(settings):
        yield CheckResult("access", "warn", warning)


def _check_names(names: Sequence[str]) -> CheckResult:
    if not names:
        text = "the file has none, so every call is denied"
        return CheckResult("tokens", "warn", text, "Create one with segue-server token new.")
    count = "1 token permits" if len(names) == 1 else f"{len(names)} tokens permit"
    return CheckResult("tokens", "ok", f"{count} calls: {', '.join(names)}")
