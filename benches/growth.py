"""What a start costs, and how costs grow: with a payload's size, with rules, conditions, lists, nesting.

In: nothing. Out: tables of milliseconds, of memory added, and of nanoseconds per check; `growth.svg` and
`loads.svg`; what an import, loading 430 KB, 1,000 reloads and a response for client SDKs may take at most, as
met or not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from cases import project as four_cases
from official_core import core_client
from plot import curves
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions, StatsigUser, SyncPolicy
from statsig_fastly._native import Evaluator
from statsig_fastly.sample_project import sample_project

PLOTS = Path("target/versus")
IMPORT_MS, LOAD_BYTES, LOAD_MS, LOAD_MB, RESPONSE_MS = 20.0, 430_000, 4.0, 6.0, 0.25
# The bar of the import as a share of what the official core's takes: this holds on any machine.
IMPORT_SHARE = 0.69


def main() -> None:
    PLOTS.mkdir(parents=True, exist_ok=True)
    imports()
    loaded = loads()
    (PLOTS / "loads.svg").write_text(curves("Load, by bytes of the payload (both logarithmic)", "", loaded))
    response()
    reloads()
    found: dict[str, dict[int, float]] = {}
    for name, make in GROWTH.items():
        print(f"\nns per check, by {name}:")
        found[name] = per_check({size: make(size) for size in SIZES[name]})
        for size, ns in found[name].items():
            print(f"  {size:>6}: {ns:8.0f}")
    title = "Time of one check, by what grows (both logarithmic)"
    (PLOTS / "growth.svg").write_text(curves(title, "ns", found))


def resident_mb() -> float:
    if (status := Path("/proc/self/status")).exists():
        return int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], stdout=subprocess.PIPE, check=True)
    return int(shown.stdout) / 1024


def imports() -> None:
    """Beside an interpreter that imports nothing, in turns."""
    programs = ("pass", "import statsig_fastly", "import statsig_python_core")
    # As it is installed: with its bytecode, which the first round writes.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    best = dict.fromkeys(programs, float("inf"))
    for _ in range(25):
        for program in programs:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], env=kept, check=True)
            best[program] = min(best[program], (time.perf_counter() - started) * 1000)
    nothing, ours, core = best.values()
    ours, core = ours - nothing, core - nothing
    share = ours / core
    print(
        f"import statsig_fastly: {ours:.1f} ms, bar {IMPORT_MS} ms: {verdict(ours, IMPORT_MS)};"
        f" {share:.2f} of statsig_python_core's, bar {IMPORT_SHARE}: {verdict(share, IMPORT_SHARE)}"
    )


def start_ms(payload: bytes, rounds: int) -> tuple[float, float]:
    """What ours and the official core take to start with a payload in memory, in turns."""
    options = StatsigOptions(
        data_adapter=MemoryAdapter(payload), sync_policy=SyncPolicy.manual(), disable_all_logging=True
    )
    makes = (lambda: Statsig("secret-bench", options), lambda: core_client(payload))
    best = [float("inf")] * len(makes)
    for _ in range(rounds):
        for which, make in enumerate(makes):
            client = make()
            started = time.perf_counter()
            client.initialize().wait()
            best[which] = min(best[which], (time.perf_counter() - started) * 1000)
            client.shutdown().wait()
    return best[0], best[1]


def response() -> None:
    project, client = sample_project(gates=100, configs=46), Evaluator()
    specs = sum(len(project[kind]) for kind in ("feature_gates", "dynamic_configs", "layer_configs"))
    client._load(json.dumps(project).encode(), "Bench")
    best = float("inf")
    for _ in range(300):
        started = time.perf_counter()
        client.get_client_initialize_response("user-42")
        best = min(best, (time.perf_counter() - started) * 1000)
    print(
        f"response for client SDKs, {specs} specs: {best:.3f} ms, bar {RESPONSE_MS} ms:",
        verdict(best, RESPONSE_MS),
    )


def payload_of(size: int) -> bytes:
    """About so many bytes."""
    gates = max(20, round(size / 2770))
    return json.dumps(sample_project(gates=gates, configs=max(16, gates // 2))).encode()


# In a process of its own, whose heap has no room left by others.
ADDED = """
import sys
from growth import resident_mb
from statsig_fastly._native import Evaluator
payload, kept = sys.stdin.buffer.read(), [Evaluator() for _ in range(int(sys.argv[1]))]
before = resident_mb()
for client in kept:
    client._load(payload, "Bench")
print((resident_mb() - before) / len(kept))
"""


def added_mb(payload: bytes, count: int) -> float:
    command = [sys.executable, "-c", ADDED, str(count)]
    return float(subprocess.run(command, input=payload, stdout=subprocess.PIPE, check=True).stdout)


def load_ms(payloads: list[bytes]) -> list[float]:
    """The least ms of a load of each, measured in turns."""
    best = [float("inf")] * len(payloads)
    for _ in range(6):
        for which, payload in enumerate(payloads):
            for _ in range(max(1, 2_000_000 // len(payload))):
                client = Evaluator()
                # Of this thread, which does all of it: what else the machine does is not in it.
                started = time.thread_time()
                client._load(payload, "Bench")
                best[which] = min(best[which], (time.thread_time() - started) * 1000)
    return best


def loads() -> dict[str, dict[int, float]]:
    """Milliseconds and MB by bytes."""
    found: dict[str, dict[int, float]] = {"ms": {}, "MB of memory": {}}
    payloads = [payload_of(size) for size in (100_000, LOAD_BYTES, 1_000_000, 5_000_000, 25_000_000)]
    print("bytes, ms to load, ms per MB, MB of memory added:")
    for payload, took in zip(payloads, load_ms(payloads), strict=True):
        added = added_mb(payload, 8 if len(payload) < 2_000_000 else 1)
        found["ms"][len(payload)], found["MB of memory"][len(payload)] = took, max(added, 0.01)
        print(f"  {len(payload):>10,} {took:8.2f} {took / len(payload) * 1e6:6.2f} {added:6.1f}", end="")
        if payload is payloads[1]:
            print(f"   bar {LOAD_MS} ms: {verdict(took, LOAD_MS)}", end="")
            print(f"; {LOAD_MB} MB: {verdict(added, LOAD_MB)}", end="")
            ours, core = start_ms(payload, 20)
            print(f"; a start takes {ours:.1f} ms, statsig_python_core's {core:.1f}", end="")
        print()
    return found


def reloads() -> None:
    specs, client = json.loads(payload_of(430_000)), Evaluator()
    specs.pop("checksum")
    seen = []
    for number in range(1000):
        specs["time"] += 1
        client._load(json.dumps(specs).encode(), "Bench")
        client.get_experiment("user", "button_color").get("color")
        if number % 100 == 99:
            seen.append(resident_mb())
    grown = seen[-1] - seen[1]
    print(f"1,000 reloads: from the 200th on {grown:+.1f} MB: {'met' if grown < 1 else 'missed'}")


def verdict(found: float, bar: float) -> str:
    return "met" if found <= bar else f"missed by {found - bar:.2g}"


def per_check(projects: dict[int, dict[str, Any]]) -> dict[int, float]:
    """The least ns of a check in each, measured in turns."""
    checks = {}
    for size, project in projects.items():
        client = Evaluator()
        client._load(json.dumps(project).encode(), "Bench")
        checks[size] = client.check_gate
    best, rounds = dict.fromkeys(projects, float("inf")), range(500)
    who = StatsigUser("user-7", country="NZ", custom={"plan": "pro"})
    for _ in range(200):
        for size, check in checks.items():
            started = time.perf_counter_ns()
            for _ in rounds:
                check(who, "grown")
            best[size] = min(best[size], (time.perf_counter_ns() - started) / len(rounds))
    return best


def grown(rules: list[dict[str, Any]], conditions: dict[str, Any], **gates: Any) -> dict[str, Any]:
    project = four_cases()
    project["condition_map"] |= conditions
    spec = {**project["feature_gates"]["case_everybody"], "rules": rules}
    project["feature_gates"] |= {"grown": spec, **gates}
    return project


def field(target: Any, operator: str = "any", name: str = "plan") -> dict[str, Any]:
    plain = {"additionalValues": {}, "idType": "userID", "isDeviceBased": False}
    return {"type": "user_field", "field": name, "operator": operator, "targetValue": target, **plain}


def rule(*conditions: str, number: int = 0) -> dict[str, Any]:
    [template] = four_cases()["feature_gates"]["case_everybody"]["rules"]
    return {**template, "id": f"rule-{number}", "conditions": list(conditions)}


def by_rules(count: int) -> dict[str, Any]:
    """Each with a condition of its own, or one answer could serve all of them."""
    rules = [rule(f"no-{number}", number=number) for number in range(count)]
    return grown(rules, {f"no-{number}": field([f"nobody-{number}"]) for number in range(count)})


def by_conditions(count: int) -> dict[str, Any]:
    keys = [f"yes-{number}" for number in range(count)]
    return grown([rule(*keys)], {key: field(["pro", key]) for key in keys})


def by_list(count: int) -> dict[str, Any]:
    return grown([rule("long")], {"long": field([f"plan-{number}" for number in range(count)])})


def by_nesting(depth: int) -> dict[str, Any]:
    names = ["grown", *(f"nested-{number}" for number in range(depth))]
    conditions = {
        f"pass-{name}": {**field(name), "type": "pass_gate", "field": None, "operator": None}
        for name in names
    }
    everybody = four_cases()["feature_gates"]["case_everybody"]
    gates = {name: {**everybody, "rules": [rule(f"pass-{below}")]} for name, below in pairwise(names)}
    return grown([], conditions, **{names[-1]: everybody, **gates})


def by_project(count: int) -> dict[str, Any]:
    """A gate for everybody, and so many that are not asked."""
    everybody = four_cases()["feature_gates"]["case_everybody"]
    return grown(everybody["rules"], {}, **{f"beside-{number}": everybody for number in range(count)})


GROWTH = {
    "rules that do not match": by_rules,
    "conditions of one rule": by_conditions,
    "length of a list": by_list,
    "nested gates": by_nesting,
    "other gates in the payload": by_project,
}
SIZES = {
    "rules that do not match": (0, 1, 4, 16, 64, 256),
    "conditions of one rule": (1, 4, 16, 64),
    "length of a list": (1, 4, 5, 50, 1000, 10_000),
    "nested gates": (0, 1, 4, 16, 60),
    "other gates in the payload": (1, 100, 1000, 10_000),
}

if __name__ == "__main__":
    main()
