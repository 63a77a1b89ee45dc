"""Looks for known vulnerabilities in what is installed. One that is found fails the build; a service that cannot be
asked does not, and is said loudly: no answer must not look like a good one.
"""

import json
import subprocess
import sys
from typing import Any

_TIMEOUT_S = 60

# Advisories that do not touch us, each with the reason: {"GHSA-...": "why"}.
IGNORED: dict[str, str] = {}


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off", "--timeout=5"]
    try:
        run = subprocess.run(
            [*command, *(f"--ignore-vuln={i}" for i in IGNORED)], capture_output=True, text=True, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return _unknown(f"no answer within {_TIMEOUT_S} s")
    try:
        dependencies: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        return _unknown((run.stderr.strip().splitlines() or ["it said nothing"])[-1])
    vulnerable = [d for d in dependencies if d.get("vulns")]
    for d in vulnerable:
        for v in d["vulns"]:
            fixed = ", ".join(v["fix_versions"]) or "no version yet"
            sys.stdout.write(f"{d['name']} {d['version']}: {v['id']}, mended in {fixed}\n")
    # Packages that the service does not know are left out of what it checked, and so is everything behind a mirror
    # that has none of this.
    checked = [d for d in dependencies if "vulns" in d]
    if vulnerable:
        return 1
    if len(checked) < len(dependencies) / 2:
        return _unknown(f"it knew {len(checked)} of {len(dependencies)} packages")
    sys.stdout.write(f"no known vulnerability in {len(checked)} of {len(dependencies)} packages\n")
    return 0


def _unknown(why: str) -> int:
    sys.stderr.write(f"WARNING: dependencies were NOT audited for known vulnerabilities: {why}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
