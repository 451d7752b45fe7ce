"""Made-up users to check a sample project with: a count and a seed in, wire-name dicts out.

The words here are the ones the rules of `statsig_fastly.sample_project` look for, so that its
gates pass for some of these users and fail for others.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["sample_users"]

T = TypeVar("T")

COUNTRIES: Final = ("US", "GB", "DE", "FR", "NZ", "AU", "JP", "BR", "IN", "CA", "SE", "MX")
EU_COUNTRIES: Final = ("DE", "FR", "SE")
LOCALES: Final = ("en-US", "en-GB", "de-DE", "fr-FR", "ja-JP", "pt-BR", "es-MX", "sv-SE", "en_NZ")
APP_VERSIONS: Final = ("1.9.0", "2.0.0", "2.3.1", "2.10", "3.0.0-beta.2", "3.1.4", "3.4.0", "4.0.0")
DOMAINS: Final = ("example.com", "example.org", "acme.example", "globex.example", "mail.example.net")
PLANS: Final = ("free", "starter", "pro", "Enterprise")
ROLES: Final = ("owner", "admin", "editor", "viewer", "billing")
TIERS: Final = ("production", "staging", "development")
COMPANIES: Final = tuple(f"company-{number}" for number in range(1, 41))
EMPLOYEE_DOMAIN: Final = "acme.example"

_FIRST_NAMES: Final = (
    "ana",
    "bo",
    "chloé",
    "dmitri",
    "eve",
    "farid",
    "grace",
    "hana",
    "ivo",
    "jun",
    "kofi",
    "lea",
)
_LAST_NAMES: Final = (
    "almeida",
    "berg",
    "chen",
    "dubois",
    "egede",
    "fischer",
    "garcia",
    "hughes",
    "ito",
    "jones",
)
_USER_AGENTS: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0",
    "SampleShop/3.1 CFNetwork/1494 Darwin/23.4.0",
)
_FIRST_SIGNUP_MS: Final = 1_577_836_800_000  # 2020-01-01, UTC
_LAST_SIGNUP_MS: Final = 1_767_225_600_000  # 2026-01-01, UTC


class Dice:
    """Seeded choices that come out the same on every Python version.

    Only `Random.random` keeps its sequence from version to version; everything here is built on it.

    Args:
        seed: Start of the sequence.
    """

    def __init__(self, seed: int) -> None:
        self._roll = random.Random(seed).random  # noqa: S311 - made-up data, nothing secret

    def below(self, count: int) -> int:
        """An integer from 0 up to but not including `count`."""
        return int(self._roll() * count)

    def chance(self, share: float) -> bool:
        """True in `share` (0 to 1) of all calls."""
        return self._roll() < share

    def pick(self, things: Sequence[T]) -> T:
        """One of `things`."""
        return things[self.below(len(things))]

    def take(self, things: Sequence[T], count: int) -> list[T]:
        """`count` of `things` in random order, none twice."""
        pool = list(things)
        return [pool.pop(self.below(len(pool))) for _ in range(min(count, len(pool)))]

    def text(self, alphabet: str, length: int) -> str:
        """`length` characters of `alphabet`."""
        return "".join(self.pick(alphabet) for _ in range(length))


def sample_users(count: int, seed: int = 2024) -> list[dict[str, Any]]:
    """Makes up users for a sample project.

    Some have everything, some have little: no email, no country, no custom fields, a stable id
    instead of a user id. All values are JSON and of types every Statsig SDK takes.

    Args:
        count: How many, 0 or more.
        seed: The same seed gives the same users, on every Python version; the first users of a longer
            list are those of a shorter one.

    Returns:
        Users as Statsig's wire format writes them (`userID`, `customIDs`, `appVersion`, ...).
    """
    dice = Dice(seed)
    return [_user(dice, number) for number in range(count)]


def _user(dice: Dice, number: int) -> dict[str, Any]:
    user: dict[str, Any] = {}
    if not dice.chance(0.04):
        user["userID"] = f"user-{number}"
    if "userID" not in user or dice.chance(0.7):
        ids: dict[str, Any] = {"stableID": dice.text("0123456789abcdef", 16)}
        if dice.chance(0.6):
            ids["companyID"] = dice.pick(COMPANIES)
        user["customIDs"] = ids
    if dice.chance(0.8):
        name = f"{dice.pick(_FIRST_NAMES)}.{dice.pick(_LAST_NAMES)}"
        name = name.title() if dice.chance(0.1) else name
        user["email"] = f"{name}{dice.below(100)}@{dice.pick(DOMAINS)}"
    if dice.chance(0.5):
        user["ip"] = f"192.0.2.{dice.below(256)}"
    if dice.chance(0.85):
        country = dice.pick(COUNTRIES)
        user["country"] = country.lower() if dice.chance(0.1) else country
    if dice.chance(0.75):
        user["locale"] = dice.pick(LOCALES)
    if dice.chance(0.75):
        user["appVersion"] = dice.pick(APP_VERSIONS)
    if dice.chance(0.6):
        user["userAgent"] = dice.pick(_USER_AGENTS)
    if dice.chance(0.85):
        user["custom"] = _custom_fields(dice)
    if dice.chance(0.25):
        user["privateAttributes"] = {"credit_score": 300 + dice.below(550), "internal": dice.chance(0.3)}
    if dice.chance(0.4):
        user["statsigEnvironment"] = {"tier": dice.pick(TIERS)}
    return user


def _custom_fields(dice: Dice) -> dict[str, Any]:
    signup_ms = _FIRST_SIGNUP_MS + dice.below(_LAST_SIGNUP_MS - _FIRST_SIGNUP_MS)
    fields: dict[str, Any] = {
        "plan": dice.pick(PLANS),
        "seats": dice.below(250),
        "signup_date": signup_ms if dice.chance(0.5) else signup_ms // 1000,
        "beta": dice.chance(0.4),
        "roles": dice.take(ROLES, dice.below(4)),
        "balance": dice.below(100_000) / 100,
        "level": str(dice.below(60)),  # numbers arrive as text, too
        "referrer": dice.pick(("newsletter", "Search Ad", "friend", "", None)),
    }
    return dict(dice.take(list(fields.items()), 3 + dice.below(6)))
