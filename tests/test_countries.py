"""Conditions on the country of an IP address: the same country as in the official core, and what becomes of
them where there is no table.

The table belongs to the process, here and in the official core. What needs a process without one runs in
a new interpreter.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from answers import Differences
from engine_under_test import our_answer, our_engine
from reference import Reference
from small_specs import condition, config, project, rule
from statsig_fastly.geo import _table_path

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESSES: Final = 100_000

# One change to a part of an address each: other spellings of numbers, other numbers, and no numbers.
ODD_PARTS: Final[tuple[Callable[[int], str], ...]] = (
    "0{}".format,
    "000{}".format,
    "+{}".format,
    "-{}".format,
    "++{}".format,
    " {}".format,
    "{} ".format,
    "{}.".format,
    "{}x".format,
    "0x{:x}".format,
    "{:o}".format,
    "{}.0".format,
    "{}e0".format,
    lambda _: "",
    lambda part: str(part + 256),
    lambda part: str(part - 256),
    lambda part: str(part * 1000),
    lambda part: str(part + 2**31),
    lambda part: str(part + 2**63),
)
ODD_WHOLES: Final = (
    "",
    " ",
    "...",
    "::1",
    "2001:db8::1",
    "::ffff:8.8.8.8",
    "localhost",
    "8.8.8.8:80",
    "8.8.8.8,1.0.1.0",
)


def table() -> bytes:
    path = _table_path()
    assert path is not None, "the package ip3country is not installed"
    return path.read_bytes()


def country_codes() -> list[str]:
    """The codes at the start of the table, those of most addresses first."""
    text = table()[: 2 * 256].decode("latin-1")
    codes = [text[at : at + 2] for at in range(0, text.index("*"), 2)]
    assert len(codes) > 200
    return codes


def countries_project(codes: list[str]) -> dict[str, Any]:
    """The config `country` that says which of the codes the user's country is, null or `other`."""
    conditions = {code: condition("ip_based", "country", "any_case_sensitive", [code]) for code in codes}
    conditions["null"] = condition("ip_based", "country", "eq", None)
    rules = [rule("null", {"code": None}), *(rule(code, {"code": code}) for code in codes)]
    return project(conditions, configs={"country": config(rules, {"code": "other"})})


def random_address(dice: random.Random) -> str:
    parts = [dice.randrange(256) for _ in range(4)]
    texts = [str(part) for part in parts]
    if dice.random() < 0.3:
        at = dice.randrange(4)
        texts[at] = dice.choice(ODD_PARTS)(parts[at])
    return ".".join(texts)


def survives(address: str) -> bool:
    """False for numbers past the last address, for which the official core panics."""
    try:
        a, b, c, d = (int(part) for part in address.split("."))
    except ValueError:
        return True
    return ((a * 256 + b) * 256 + c) * 256 + d < 2**32


def compare(addresses: list[str]) -> dict[object, int]:
    """How often each country came; fails if the two engines do not agree on all of them."""
    payload = json.dumps(countries_project(country_codes())).encode()
    differences, counts = Differences(), dict[object, int]()
    with Reference(payload) as reference, our_engine(payload) as statsig:
        for address in addresses:
            user = {"ip": address}
            theirs = reference.check("config", "country", user)
            differences.compare(
                our_answer(statsig, "config", "country", user), theirs, partial(dict, address=address)
            )
            assert isinstance(theirs.value, dict)
            code = theirs.value["code"]
            counts[code] = counts.get(code, 0) + 1
    differences.expect_none()
    assert differences.compared == len(addresses)
    return counts


def test_random_addresses_have_the_country_they_have_in_the_official_core() -> None:
    dice = random.Random(2024)
    addresses = [
        *ODD_WHOLES,
        *filter(survives, (random_address(dice) for _ in range(ADDRESSES + ADDRESSES // 10))),
    ]
    assert len(addresses) > ADDRESSES
    counts = compare(addresses[:ADDRESSES])
    assert len(counts) > 150
    # Nobody's are the upper eighth, what is private, and many of the odd ones.
    assert ADDRESSES // 8 < counts[None] < ADDRESSES // 2
    assert "other" not in counts


def test_addresses_at_the_ends_of_ranges_have_the_country_they_have_in_the_official_core() -> None:
    # Where a range ends nobody knows without reading the table; most ranges are 1 to 16 blocks of 256 long.
    dice = random.Random(7)
    addresses = []
    for _ in range(60):
        first = dice.randrange(1 << 16, 223 << 16) & ~0xF
        for block in range(first, first + 16):
            a, b, c = block.to_bytes(3, "big")
            addresses += [f"{a}.{b}.{c}.0", f"{a}.{b}.{c}.255"]
    counts = compare([*addresses, "0.0.0.1", "255.255.255.255", "223.255.255.255", "224.0.0.0"])
    assert len(counts) > 10


def test_a_number_past_the_last_address_has_no_country() -> None:
    with our_engine(json.dumps(countries_project(country_codes())).encode()) as statsig:
        for address in ("256.0.0.0", "255.255.255.256", "0.0.0.4294967296", "9999999999.0.0.0"):
            result = statsig.get_dynamic_config({"ip": address}, "country")
            assert (result.value, result.details.reason) == ({"code": None}, "Adapter(Memory):Recognized")


# Without a table


def run(program: str, *arguments: str, path: Path | None = None) -> str:
    """What a program prints that has the test support at hand, and in front of it what `path` has."""
    places = [str(place) for place in (path, Path(__file__).parent) if place is not None]
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout


COMPARE_WITHOUT_TABLE: Final = """
import logging
from dataclasses import replace
from answers import Differences
from conformance.engines import Engines
from conformance.generator import random_case

logging.disable()  # specs that are left out
differences, marked = Differences(), 0
for seed in range(5000, 5120):
    case = replace(random_case(seed), options={"disable_country_lookup": True})
    with Engines(case) as engines:
        for user in case.users:
            for question in case.questions:
                ours, theirs = engines.ask(question, user)
                marked += getattr(theirs, "reason", None) == "CountryLookupNotLoaded:Recognized"
                differences.compare(ours, theirs, lambda: {"seed": seed, "question": question, "user": user})
differences.expect_none()
print(differences.compared, marked)
"""


def test_without_a_table_random_specs_evaluate_as_in_the_official_core() -> None:
    compared, marked = map(int, run(COMPARE_WITHOUT_TABLE).split())
    assert compared > 40_000
    assert marked > 250


NO_TABLE: Final = "WARNING IP addresses count as if no country had them, for want of a table: "

USE: Final = """
import json, logging, sys
lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append(f"{record.levelname} {record.getMessage()}")
logging.getLogger("statsig_fastly").addHandler(handler)
import statsig_fastly
from small_specs import condition, config, project, rule
nobody = condition("ip_based", "country", "eq", None)
body = project({"nobody": nobody}, configs={"c": config([rule("nobody", {"a": 1})], {})})
options = statsig_fastly.StatsigOptions(
    data_adapter=statsig_fastly.MemoryAdapter(body), disable_all_logging=True
)

def use():
    with statsig_fastly.Statsig("secret-key", options) as statsig:
        statsig.sync().result(30)
        result = statsig.get_dynamic_config({"ip": "8.8.8.8"}, "c")
        return [result.details.reason, result.value, statsig.get_initialize_details().failure_details]
"""


def test_without_the_package_one_line_says_what_to_install() -> None:
    # This is how Python itself knows that a module must not be imported.
    hide = "import sys\nsys.modules['ip3country'] = None\n"
    printed = run(f"{hide}{USE}\nprint(json.dumps([use(), use(), lines]))")
    first, second, lines = json.loads(printed)
    assert first == second == ["CountryLookupNotLoaded:Recognized", {"a": 1}, None]
    assert lines == [f"{NO_TABLE}the package ip3country is not installed (pip install 'statsig-fastly[geo]')"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"US--**\x05", "the country table cannot be read at byte 7: it breaks off in a range"),
        (None, "[Errno 2] No such file or directory: "),
    ],
    ids=["corrupt", "missing"],
)
def test_a_table_that_cannot_be_read_is_told_in_one_line(
    content: bytes | None, says: str, tmp_path: Path
) -> None:
    data = tmp_path / "ip3country" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise AssertionError('it was imported')")
    if content is not None:
        (data / "ip_supalite.table").write_bytes(content)
    first, second, lines = json.loads(run(f"{USE}\nprint(json.dumps([use(), use(), lines]))", path=tmp_path))
    assert first == second == ["CountryLookupNotLoaded:Recognized", {"a": 1}, None]
    assert len(lines) == 1
    assert lines[0].startswith(f"{NO_TABLE}{says}")


def test_the_package_is_read_and_not_imported_once_it_is_needed() -> None:
    program = f"""{USE}
import statsig_fastly._native
def loaded():
    return [name for name in ("statsig_fastly.geo", "ip3country") if name in sys.modules]
plain = statsig_fastly.StatsigOptions(
    data_adapter=statsig_fastly.MemoryAdapter(project({{}})), disable_all_logging=True
)
off = statsig_fastly.StatsigOptions(
    disable_all_logging=True,
    data_adapter=statsig_fastly.MemoryAdapter(body), disable_country_lookup=True
)
for other in (plain, off):
    with statsig_fastly.Statsig("secret-key", other) as statsig:
        assert statsig.is_ready
    assert loaded() == [], other
reads = []
sys.addaudithook(lambda event, args: reads.append(args[0]) if event == "open" else None)
results = [use(), use()]
print(json.dumps([results, loaded(), sum(str(path).endswith(".table") for path in reads), lines]))
"""
    results, loaded, reads, lines = json.loads(run(program))
    assert results == [["Adapter(Memory):Recognized", {}, None]] * 2
    assert (loaded, reads, lines) == (["statsig_fastly.geo"], 1, [])


# With a table


def test_switched_off_no_address_has_a_country() -> None:
    payload = json.dumps(countries_project(["US"])).encode()
    with our_engine(payload) as on, our_engine(payload, disable_country_lookup=True) as off:
        for user, reasons in [
            ({"ip": "8.8.8.8"}, ("Adapter(Memory):Recognized", "CountryLookupNotLoaded:Recognized")),
            ({"ip": "8.8.8.8", "country": "US"}, ("Adapter(Memory):Recognized",) * 2),
            ({}, ("Adapter(Memory):Recognized",) * 2),
        ]:
            results = [statsig.get_dynamic_config(user, "country") for statsig in (on, off)]
            assert tuple(result.details.reason for result in results) == reasons
            codes = [result.value["code"] for result in results]
            assert codes == ["US" if "ip" in user else None, user.get("country")]


def test_a_sync_has_the_table_before_it_uses_the_first_condition() -> None:
    program = f"""{USE}
adapter = statsig_fastly.MemoryAdapter(project({{}}, time=1))
options = statsig_fastly.StatsigOptions(data_adapter=adapter, disable_all_logging=True)
with statsig_fastly.Statsig("secret-key", options) as statsig:
    in_use = []
    def watch(event, args):
        if event == "open" and str(args[0]).endswith(".table"):
            in_use.append(statsig.config_time)
    sys.addaudithook(watch)
    adapter.update(body)
    assert statsig.sync().result(30).changed
    result = statsig.get_dynamic_config({{"ip": "8.8.8.8"}}, "c")
    print(json.dumps([in_use, result.details.reason, lines]))
"""
    assert json.loads(run(program)) == [[1], "Adapter(Memory):Recognized", []]
