"""The network settings of this machine that a Docker engine changes and does not restore when it ends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tests.helpers.machine.commands import run_command

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_BRIDGE = "docker0"
_DOCKER_RULE = re.compile(r"DOCKER|docker0|-[io] br-[0-9a-f]{12}")


class HostNetwork(NamedTuple):
    """The settings before an engine starts.

    Attributes:
        forwarding: the text of ip_forward: packets between interfaces are forwarded or not.
        forward_policy: the policy of the chain FORWARD, such as "ACCEPT".
        has_bridge: an engine ran here before, so its bridge and its rules stay.
    """

    forwarding: str
    forward_policy: str
    has_bridge: bool

    @classmethod
    def current(cls) -> HostNetwork:
        """Returns the settings as they are now."""
        chain = run_command("iptables", "-S", "FORWARD").stdout.split("\n", 1)[0]
        has_bridge = 0 == run_command("ip", "link", "show", _BRIDGE).returncode
        return cls(_FORWARDING.read_text(), chain.rpartition(" ")[2] or "ACCEPT", has_bridge)

    def restore(self) -> None:
        """Removes the bridge and the rules of the engine, and sets forwarding to its former state."""
        if not self.has_bridge:
            run_command("ip", "link", "delete", _BRIDGE)
            rules = run_command("iptables-save").stdout
            run_command("iptables-restore", stdin=without_docker(rules, self.forward_policy))
        _FORWARDING.write_text(self.forwarding)


def without_docker(rules: str, forward_policy: str) -> str:
    """Returns rules in the format of iptables-save without those of Docker, and with a policy for FORWARD."""
    kept = [line for line in rules.splitlines() if not _DOCKER_RULE.search(line)]
    return "".join(re.sub(r"^:FORWARD [A-Z]+", f":FORWARD {forward_policy}", line) + "\n" for line in kept)
