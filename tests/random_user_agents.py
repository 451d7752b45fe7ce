"""User agents for random tests: a seed and a count in, distinct texts out.

A third looks like what browsers, apps and crawlers send, a third is that with a few mistakes in it, and
a third is made of words that mean something to the parser, in any order and between odd separators.
"""

from __future__ import annotations

from typing import Final

from statsig_fastly.sample_users import Dice

__all__ = ["every_user_agent", "random_user_agents"]

# {v} is a version of dots, {u} one of underscores, {n} a small number; the others are in `PARTS`.
SHAPES: Final = (
    "Mozilla/5.0 ({desktop}) {webkit} Chrome/{v} Safari/537.36",
    "Mozilla/5.0 ({desktop}) {webkit} Chrome/{v} Safari/537.36 {more}/{v}",
    "Mozilla/5.0 ({desktop}) {webkit} HeadlessChrome/{v} Safari/537.36",
    "Mozilla/5.0 ({desktop}) {webkit} App/{v} Chrome/{v} Electron/{v} Safari/{v}",
    "Mozilla/5.0 ({desktop}; rv:{n}.0) Gecko/20100101 Firefox/{n}.0",
    "Mozilla/5.0 ({desktop}; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/4.0 (compatible; MSIE {n}.0; {desktop}; Trident/4.0)",
    "Mozilla/5.0 ({desktop}) {webkit} Version/{v} Safari/{v}",
    "Mozilla/5.0 ({desktop}) {webkit} Version/{v} Safari/{v} ({bot}/{v}; +http://b.test)",
    "Mozilla/5.0 ({apple}) {webkit} Version/{v} Mobile/15E148 Safari/{v}",
    "Mozilla/5.0 ({apple}) {webkit} {more}/{v} Mobile/15E148 Safari/{v}",
    "Mozilla/5.0 ({apple}) {webkit} Version/{v} {more}/{v} Mobile/15E148 Safari/{v}",
    "Mozilla/5.0 ({apple}) {webkit} Mobile/15E148",
    "Mozilla/5.0 ({android}) {webkit} Chrome/{v} Mobile Safari/537.36",
    "Mozilla/5.0 ({android}) {webkit} Chrome/{v} Safari/537.36",
    "Mozilla/5.0 ({android}) {webkit} {more}/{v} Chrome/{v} Mobile Safari/537.36",
    "Mozilla/5.0 ({android}) {webkit} Chrome/{v} {more}/{v} Mobile Safari/537.36",
    "Mozilla/5.0 ({android}; wv) {webkit} Version/4.0 Chrome/{v} Mobile Safari/{v}",
    "Mozilla/5.0 ({android}) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
    "Mozilla/5.0 ({android}) {webkit} Silk/{v} like Chrome/{v} Safari/537.36",
    "Mozilla/5.0 ({android}; Mobile; rv:{n}.0) Gecko/{n}.0 Firefox/{n}.0",
    "Mozilla/5.0 (Windows Phone {n}.0; {android}) AppleWebKit/{v} Chrome/{v} Mobile Safari/{v} Edge/{v}",
    "Mozilla/5.0 (compatible; {bot}/{v}; +http://www.crawlers.test/{bot}.html)",
    "Mozilla/5.0 (compatible; {bot}; http://help.crawlers.test/)",
    "Mozilla/5.0 AppleWebKit/{v} (KHTML, like Gecko; compatible; {bot}/{v}; +https://bots.test) Chrome/{v}",
    "Mozilla/5.0 (PlayStation {n} {v}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{v} Safari/605.1.15",
    "Mozilla/5.0 (PlayStation Vita {v}) AppleWebKit/537.73 (KHTML, like Gecko) Silk/{v}",
    "Mozilla/5.0 (Nintendo 3DS; U; ; en) Version/{v}.EU",
    "Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) {webkit} NF/{v} NX/{v}",
    "Mozilla/5.0 (X11; U; Linux armv7l like Android; en-us) {webkit} Version/5.0 Safari/533.2+ Kindle/{n}.0+",
    "Mozilla/5.0 (X11; Linux x86_64; Quest 2) AppleWebKit/{v} OculusBrowser/{v} Chrome/{v} VR Safari/{v}",
    "{app}/{v} CFNetwork/{v} Darwin/{v}",
    "{app}/{n} CFNetwork/{v} Darwin/{v} (x86_64)",
    "{app} (unknown version) CFNetwork/{v} Darwin/{v}",
    "{app}/{v} ({android}; build {n})",
    "{app}/{v} (iPhone; iOS {v}; Scale/3.00)",
    "{app}/{v} Mozilla/5.0 ({apple}) {webkit} Mobile/15E148",
    "Apple-iPhone7C2/1202.466; U; CPU like Mac OS X; en; {webkit} Version/{v} Mobile/1A543a Safari/{v}",
    "AppleTV{n},2/{v}",
    "{lib}/{v}",
    "{lib}/{v} ({desktop})",
    "{bot}/{v}",
    "{bot}",
)  # fmt: skip
PARTS: Final = {
    "webkit": (
        "AppleWebKit/537.36 (KHTML, like Gecko)", "AppleWebKit/{v} (KHTML, like Gecko)", "AppleWebKit/{v}",
    ),
    "desktop": (
        "Windows NT 10.0; Win64; x64", "Windows NT 6.3", "Windows NT 6.2; WOW64", "Windows NT 6.1",
        "Windows NT 6.0", "Windows NT 5.2", "Windows NT 5.1", "Windows NT 5.01", "Windows NT 11.0",
        "Windows XP", "Windows 98", "Windows 95; Win 9x 4.90", "Windows CE",
        "Windows; U; Windows NT 5.1; de", "Windows NT", "Macintosh; Intel Mac OS X {u}",
        "Macintosh; Intel Mac OS X {v}", "Macintosh; PPC Mac OS X", "Macintosh; Intel Mac OS {u}",
        "X11; Linux x86_64", "X11; Ubuntu; Linux x86_64", "X11; Ubuntu {v}; Linux",
        "X11; CrOS x86_64 {v}", "X11; CrOS {v}", "X11; Linux; Red Hat {v}", "X11; FreeBSD amd64",
        "linux",
    ),
    "apple": (
        "iPhone; CPU iPhone OS {u} like Mac OS X", "iPad; CPU OS {u} like Mac OS X",
        "iPhone; iOS {v}", "iPod touch; CPU iPhone OS {u} like Mac OS X",
        "iPad; U; CPU OS {u} like Mac OS X; en-us", "iPadOS {v}", "iPhone{n},3; iOS {v}",
        "iPad{n},6; U; CPU like Mac OS X", "Macintosh; Intel Mac OS X {u}",
        "iPhone; U; CPU like Mac OS X; en",
    ),
    "android": (
        "Linux; Android {n}; SM-G99{n}B", "Linux; Android {v}; Pixel {n} Build/RQ3A",
        "Linux; Android {n}; K", "Android {n}", "Linux; U; Android {v}; en-us; Nexus One",
        "Linux; Android; {n}", "Linux; Android", "Linux; Android {n}; BRAVIA 4K) CrKey/{v} (",
        "Linux; Android {n}; HarmonyOS; ELS-AN00", "Linux; Android-{v}; TV",
        "Linux; U; Android{v}; KFTT", "Linux; Android {n}; Quest 3",
    ),
    "more": (
        "Edg", "Edge", "EdgA", "EdgiOS", "OPR", "OPT", "CriOS", "FxiOS", "GSA", "SamsungBrowser",
        "YaBrowser", "HuaweiBrowser", "Silk", "Vivaldi", "DuckDuckGo", "OculusBrowser", "IEMobile",
        "CrKey", "Kindle", "NX", "Electron", "Instagram", "Focus", "Ddg", "Mobile", "Chrome",
        "axios", "Version",
    ),
    "bot": (
        "Googlebot", "bingbot", "AhrefsBot", "Applebot", "Baiduspider", "YandexBot", "GPTBot",
        "ChatGPT-User", "OAI-SearchBot", "YisouSpider", "AdsBot-Google", "AdsBot-Google-Mobile",
        "Yahoo! Slurp", "SomeCrawler", "crawler", "Better Uptime Bot", "Radius Compilance Bot",
        "Uptime Monitoring Bot", "facebookexternalhit", "Bot", "robot", "SITECRAWLER",
        "Googlebot-Image", "my-crawler-1",
    ),
    "app": (
        "MyApp", "com.shop.app", "NetworkingExtension", "Shop%20App", "ChatGPT", "My App",
        "Ünïcode", "Safari", "MobileSafari", "Mail", "Windows", "Chrome", "Version", "Linux",
    ),
    "lib": (
        "curl", "okhttp", "axios", "python-requests", "Go-http-client", "Dart", "PostmanRuntime",
        "Java", "node", "Ruby", "Wget", "libwww-perl", "Apache-HttpClient", "k6", "undici",
    ),
}  # fmt: skip
# What the parser looks for, with near misses.
WORDS: Final = (
    "AppleTV", "AppleTV6,2", "appletv", "like", "Mac", "OS", "X", "iOS", "iPadOS", "ios", "iPhone",
    "iPad", "iPad6,3", "iPhone12,1", "iPhoneOS", "iPod", "Apple-iPhone7C2", "Apple-iPhone7C2/12",
    "Apple-iPhone", "CPU", "CrOS", "CrKey", "CrKey/1.5", "PlayStation", "PlayStation/4", "Android",
    "android", "Android/9", "Android-9", "AndroidTV", "AndroidTV/9", "Windows", "Windows/10",
    "WindowsXP", "windows", "Phone", "NT", "XP", "XP2", "MSIE", "Yahoo!", "Slurp", "Red", "Hat",
    "Ubuntu", "Ubuntu/20.04", "Mobile", "Mobile/1", "mobile", "Linux", "linux", "LINUX", "Linux/3",
    "Nintendo", "3DS", "Better", "Uptime", "Bot", "Radius", "Compilance", "Monitoring", "bot",
    "AdsBot-Google-Mobile", "AdsBot-Google-Mobile/2", "Crawler/1.2", "crawler:3", "x/crawler",
    "x/1crawler", "Bot/", "spider/Bot", "Kindle", "Kindle/3", "FxiOS", "FxiOS/9", "EdgiOS",
    "EdgiOS/7", "CriOS", "CriOS/8", "GSA/4", "GSA", "SamsungBrowser/2", "SamsungBrowser", "NX/3",
    "NX", "IEMobile/4", "YisouSpider", "YisouSpider/5", "ChatGPT-User", "ChatGPT-User/1",
    "OAI-SearchBot", "OAI-SearchBot/1", "Electron/2", "Electron", "Edg/3", "Edge/4", "Edge",
    "OPR/5.6.7.8", "OPR", "HuaweiBrowser/6", "HuaweiBrowser", "Safari/7", "Safari", "CFNetwork/8",
    "CFNetwork", "OculusBrowser/9", "OculusBrowser", "Firefox/1", "Firefox", "Silk/2", "Silk",
    "NetFront", "NetFront/3", "YaBrowser/4.5.6.7", "YaBrowser", "Opera/5.6.7.8.9", "Opera",
    "axios/6", "axios", "Chrome/1.2", "Chrome", "HeadlessChrome/7", "Version/8", "Version",
    "NetworkingExtension/1", "NetworkingExtension", "Chromecast", "Chromecast/2", "MyApp/3.4",
    "MyApp", "MyApp:3", "a/b", "abc/", "/1", "/", ":", "a:b/c", "//", "éé", "é", "☃", "日本/1", "ß/",
    "1", "22", "10.0", "6.1", "5.1", "5.2", "6.0", "6.3", "10_15_7", "7.1.2", "9a", "1.2.3.4.5",
    "1,2,3", "1.", "1..2", "1.2b3.4", "4_", "1.b", "3._,", "()", "(;", '"', "+", "_", "-", "v1",
    "x64", "iPhone5iPhone6", "iPadiPad", "iPhone_9,1", "٣", "1.٣2", "²", "1.²", "X11", "NTX",
    "XP/4",
)  # fmt: skip
# What means something in more than one word.
WORD_PAIRS: Final = (
    "Windows Phone 10.0", "Windows Phone", "Windows XP", "Windows NT 6.1", "Yahoo! Slurp", "Red Hat 8",
    "Better Uptime Bot 1", "Better Uptime Bot", "Uptime Monitoring Bot 2", "Radius Compilance Bot 3",
    "Nintendo 3DS", "CPU OS 9_1", "iPhone OS 8", "Mac OS X 10_4", "Mac OS 9", "like Mac OS X", "CrOS 5",
    "CrOS x86_64 5.6", "Mac OS X 10_15 iPhone", "Mac OS X CriOS/3 CPU OS 9", "Firefox/3 Mobile/4",
    "Chrome Android 4", "Chrome Android", "x/crawler", "Opera/9 Mobile", "Silk/3 PlayStation",
    "NetworkingExtension CFNetwork/8", "NetworkingExtension MyApp/2 CFNetwork/8", "Edge/4 Mobile",
)  # fmt: skip
SEPARATORS: Final = (
    " ",
    " ",
    " ",
    " ",
    " ",
    ";",
    "; ",
    "  ",
    " (",
    ") ",
    ", ",
    '" "',
    "_",
    "+ ",
    "/",
    ":",
    "\t",
    "\n",
    "\u00a0",
    "\u200b",
    "",
)
VERSION_MARKS: Final = (".", ".", ".", ".", "_", ",", "..", ".b", "a.", "-", ". ", "+.", "/", ":", ".é")


def random_user_agents(seed: int, count: int) -> list[str]:
    """Distinct user agents, the same for the same seed; some are longer than the parser reads."""
    dice = Dice(seed)
    texts: dict[str, None] = {}
    while len(texts) < count:
        make = dice.pick((_plain, _mutated, _soup))
        if text := make(dice):
            texts[text] = None
    return list(texts)


def every_user_agent(seed: int) -> list[str]:
    """Two user agents of each shape, one for each of its parts, and each word alone and beside others."""
    dice = Dice(seed)
    texts = [_filled(dice, shape) for shape in SHAPES for _ in range(2)]
    texts += [_filled(dice, f"Mozilla/5.0 ({part}) Chrome/{{v}}") for part in PARTS["desktop"]]
    texts += [_filled(dice, part) for parts in PARTS.values() for part in parts]
    texts += [f"Mozilla/5.0 (Android 9; Mobile) {word}" for word in WORDS]
    texts += [f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) {word} Safari/1" for word in WORDS]
    return list(dict.fromkeys([*texts, *WORDS, *WORD_PAIRS]))


def _plain(dice: Dice) -> str:
    return _filled(dice, dice.pick(SHAPES))


def _mutated(dice: Dice) -> str:
    words = _filled(dice, dice.pick(SHAPES)).split(" ")
    for _ in range(1 + dice.below(5)):
        at, other = dice.below(len(words)), dice.below(len(words))
        match dice.below(9):
            case 0:
                words[at], words[other] = words[other], words[at]
            case 1 if len(words) > 1:
                del words[at]
            case 2:
                words.insert(other, words[at])
            case 3:
                words.insert(at, dice.pick(WORDS))
            case 4:
                words[at] = dice.pick(WORDS)
            case 5:
                words[at] += dice.pick(SEPARATORS)
            case 6:
                cut = dice.below(len(words[at]) + 1)
                words[at] = words[at][:cut] + dice.pick((*SEPARATORS, "é", "1")) + words[at][cut:]
            case 7:
                words[at] = words[at][: dice.below(len(words[at]) + 1)]
            case _:
                words[at] = words[at].replace(".", dice.pick(VERSION_MARKS))
    if dice.chance(0.02):  # around the length that is read
        text = " ".join(words)
        return text + dice.pick((" ", "x", "é", " Bot")) * dice.below(1200)
    return " ".join(words)


def _soup(dice: Dice) -> str:
    words = [dice.pick((*WORDS, _version(dice))) for _ in range(1 + dice.below(12))]
    return "".join(word + dice.pick(SEPARATORS) for word in words)


def _filled(dice: Dice, shape: str) -> str:
    start, brace, rest = shape.partition("{")
    if not brace:
        return shape
    name, _, rest = rest.partition("}")
    match name:
        case "n":
            text = str(1 + dice.below(130))
        case "u":
            text = _version(dice, "_")
        case "v":
            text = _version(dice, ".")
        case _:
            text = _filled(dice, dice.pick(PARTS[name]))
    return start + text + _filled(dice, rest)


def _version(dice: Dice, mark: str | None = None) -> str:
    numbers = [str(dice.pick((0, 1, 5, 10, 17, 120, 4430))) for _ in range(1 + dice.below(5))]
    return "".join(
        number if not index else (mark or dice.pick(VERSION_MARKS)) + number
        for index, number in enumerate(numbers)
    )
