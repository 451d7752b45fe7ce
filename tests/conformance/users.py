"""Random users: dice and values in, wire-name dicts out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conformance.values import FAMILIES, element_text
from random_user_agents import random_user_agents

if TYPE_CHECKING:
    from conformance.values import Values
    from statsig_fastly.sample_specs import Json
    from statsig_fastly.sample_users import Dice

__all__ = ["CUSTOM_IDS", "FIELDS", "USER_IDS", "random_user"]

USER_IDS: Final = ("user-1", "user-2", "a", "é", "", "0", "true", "USER-1", "x" * 70)
CUSTOM_IDS: Final[tuple[Json, ...]] = ("c1", "C1", "", "é", 5, 1.5, 2**53 + 1, True)
# A field for each family of values, as conditions look it up.
FIELDS: Final = {family: (f"f_{family}", f"F_{family}") for family in FAMILIES}
# None of them is beyond the official core's table: it does not survive those.
ADDRESSES: Final = (
    "8.8.8.8", "1.0.0.0", "1.0.1.0", "24.18.183.148", "115.240.90.163", "10.0.0.1", "127.0.0.1", "0.0.0.0",  # noqa: S104
    "223.255.255.255", "255.255.255.255", "+8.8.8.8", "08.8.8.8", "8.8.8", "8.8.8.8.8", "24.18.183.999",
    "8.8.8.-1", "::1", "2001:db8::1", " 8.8.8.8", "8.8.8.x", "", "not an address", "8..8.8", "-1.0.0.0",
)  # fmt: skip
_WEBKIT: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
COUNTRIES: Final = ("US", "us", "CN", "UA", "IN", "NZ", "", "--")
AGENTS: Final = (
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 16_5_1 like Mac OS X) {_WEBKIT} Version/16.5 Mobile/15E148",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/120.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Windows NT 5.1) {_WEBKIT} Chrome/49.0.2623.112 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/117.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:120.0) Gecko/20100101 Firefox/120.0",
    f"Mozilla/5.0 (Linux; Android 13; SM-S918B) {_WEBKIT} Chrome/116.0.0.0 Mobile Safari/537.36",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
    "MyApp/3.2.1 CFNetwork/1408.0.4 Darwin/22.5.0", "curl/8.1.2", "axios/1.6.2", "zzz", "",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "a" * 1001,
)  # fmt: skip
_AGENTS: Final = (*AGENTS, *AGENTS, *random_user_agents(1, 400))


def random_user(dice: Dice, values: Values) -> dict[str, Any]:
    """Makes up a user with some of everything."""
    user: dict[str, Any] = {}
    if dice.chance(0.93):
        user["userID"] = dice.pick(USER_IDS) if dice.chance(0.7) else f"user-{dice.below(10_000)}"
    if dice.chance(0.2):
        user["country"] = dice.pick(COUNTRIES)
    for field in ("email", "country", "locale", "appVersion"):
        if dice.chance(0.4):
            user[field] = element_text(values.scalar("version" if field == "appVersion" else "text"))
    for field, usual in (("ip", ADDRESSES), ("userAgent", _AGENTS)):
        if dice.chance(0.5):
            user[field] = dice.pick(usual) if dice.chance(0.8) else element_text(values.scalar("text"))
    for part, share in (("custom", 0.9), ("privateAttributes", 0.4)):
        if dice.chance(share):
            user[part] = _random_fields(dice, values)
    if dice.chance(0.6):
        units = dice.take(
            ("stableID", "stableid", "companyID", "companyid", "user_id", "other"), 1 + dice.below(4)
        )
        user["customIDs"] = {unit: dice.pick(CUSTOM_IDS) for unit in units}
    if dice.chance(0.5):
        keys = dice.take(("tier", "TIER", "region"), 1 + dice.below(2))
        user["statsigEnvironment"] = {key: dice.pick(("staging", "production", "", "dev")) for key in keys}
    return user


def _random_fields(dice: Dice, values: Values) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for family, (lower, mixed) in FIELDS.items():
        if dice.chance(0.7):
            fields[lower] = values.of_user(family)
        if dice.chance(0.15):
            fields[mixed] = values.of_user(family)
    for name, usual in (("ip", ADDRESSES), ("country", COUNTRIES)):
        if dice.chance(0.15):
            fields[name] = dice.pick((*usual, *usual, None, 5, [usual[0]], {}, values.of_user("mixed")))
    for name in ("email", "userID", "user_id", "app_version", "appversion", "shared"):
        if dice.chance(0.08):
            fields[name] = values.of_user("text")
    return fields
