from __future__ import annotations

import pytest

from segue.server.callers.caller import machine_of


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("ipv4:192.0.2.7:50312", "ipv4:192.0.2.7"),
        ("ipv6:%5B2001:db8::7%5D:50312", "ipv6:2001:db8::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:50312", "ipv6:fe80::/64"),
        ("unix:", "unix:"),
        ("unix:/run/segue.sock", "unix:/run/segue.sock"),
        ("unix-abstract:name", "unix-abstract:name"),
    ],
)
def test_machine(peer: str, expected: str) -> None:
    """The connections of one machine have the same address."""
    assert expected == machine_of(peer)
