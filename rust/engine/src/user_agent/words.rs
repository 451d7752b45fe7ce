//! The words of a user agent, and what they tell.
//!
//! One pass over the words, through a window of four, notes what can still matter after the last;
//! then the system and the browser are chosen from that. Nothing is kept that grows with the text.

use super::Product;

/// What systems and browsers are called that nothing is known about.
const OTHER: &str = "Other";

/// What the words tell, as far as it can still matter after the last.
#[derive(Debug, Default)]
pub(super) struct Words<'a> {
    android: Option<Product<'a>>,
    bot: bool,
    /// Chosen by a word that is a browser's own.
    browser: Option<Product<'a>>,
    /// The first product that names a browser where no word is a browser's own.
    browser_product: Option<Product<'a>>,
    cfnetwork: bool,
    chrome: Option<Product<'a>>,
    /// The first `CPU OS`, before any `os_product`.
    cpu_os: Option<Product<'a>>,
    crawler: bool,
    first: Option<Product<'a>>,
    huawei: bool,
    ios: bool,
    /// The first of `CPU OS` and `Version`, before any `os_product`.
    ios_product: Option<Product<'a>>,
    linux: bool,
    mac: bool,
    mobile: bool,
    /// Chosen by a system's own name with a version.
    os: Option<Product<'a>>,
    /// The first product that names a system whatever else is there.
    os_product: Option<Product<'a>>,
    playstation: bool,
    safari: bool,
    second: Option<Product<'a>>,
    version: Option<Product<'a>>,
    windows: bool,
}

impl<'a> Words<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let mut seen = Self::default();
        let mut rest = text.split([' ', ';']).map(bare);
        let mut window = [rest.next(), rest.next(), rest.next(), rest.next()];
        while window[0].is_some() {
            let read = seen.word(window.map(Option::unwrap_or_default));
            for _ in 0..read {
                window = [window[1], window[2], window[3], rest.next()];
            }
        }
        seen
    }

    /// Takes in the first word of the window; returns how many words were read.
    fn word(&mut self, window: [&'a str; 4]) -> usize {
        // The version, if that word is one, and how many words it takes.
        let number = |at: usize| {
            let version = Some(window[at]).filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
            (version, usize::from(version.is_some()))
        };
        match window {
            ["", ..] => 1,
            [word, ..] if word.starts_with("AppleTV") => {
                self.product("ATV OS X", None);
                2
            }
            ["like", "Mac", "OS", _] => 4,
            ["Mac", "OS", "X", _] => {
                self.mac = true;
                self.system("Mac OS X", number(3), 3)
            }
            ["Mac", "OS", ..] => {
                self.mac = true;
                self.system("Mac OS X", number(2), 3)
            }
            ["iOS" | "iPadOS", ..] => {
                self.ios = true;
                self.system("iOS", number(1), 2)
            }
            ["iPhone", "OS", ..] => self.system("iOS", number(2), 2),
            [word, ..] if word.starts_with("iPad") => self.apple_device("iPad", word),
            [word, ..] if word.starts_with("iPhone") => self.apple_device("iPhone", word),
            [word, ..] if word.starts_with("Apple-iPhone7C2") => {
                self.ios = true;
                self.product("iPhone", None);
                1
            }
            ["CPU", "OS", ..] => {
                let (version, read) = number(2);
                self.product("CPU OS", version);
                2 + read
            }
            ["CrOS", ..] => match number(1) {
                (None, _) => self.system("Chrome OS", number(2), 2),
                found => self.system("Chrome OS", found, 1),
            },
            ["CrKey", ..] => {
                self.product("Chromecast", None);
                1
            }
            ["PlayStation", ..] => {
                self.playstation = true;
                self.product("PlayStation", None);
                1
            }
            ["Android", ..] => self.system("Android", number(1), 1),
            ["Windows", "Phone", ..] => self.system("Windows Phone", number(2), 2),
            [word, next, ..] if word.starts_with("Windows") => {
                self.windows = true;
                match next {
                    "NT" => self.system("Windows", number(2), 2),
                    _ if next.starts_with("XP") => self.system("Windows", (Some("XP"), 0), 2),
                    _ => self.system("Windows", number(1), 1),
                }
            }
            ["MSIE", ..] => {
                let (version, read) = number(1);
                self.own_browser("IE", version);
                1 + read
            }
            ["Yahoo!", "Slurp", ..] => {
                self.product("Yahoo! Slurp", None);
                2
            }
            ["Red", "Hat", ..] => {
                self.product("Red Hat", None);
                2
            }
            ["Ubuntu", ..] => self.system("Ubuntu", number(1), 1),
            ["Mobile", ..] => {
                self.mobile = true;
                self.product("Mobile", None);
                1
            }
            ["Linux" | "linux", ..] => {
                self.linux = true;
                self.product("Linux", None);
                1
            }
            ["Nintendo", "3DS", ..] => {
                self.product("NetFront NX", None);
                2
            }
            ["like", ..] => 1,
            [word, ..] if word.len() <= 2 => 1,
            ["Better", "Uptime", "Bot", _] => self.robot("Better Uptime Bot", None),
            // So spelt in the reference.
            ["Radius", "Compilance", "Bot", _] => self.robot("Radius Compilance Bot", None),
            ["Uptime", "Monitoring", "Bot", _] => self.robot("Uptime Monitoring Bot", None),
            ["AdsBot-Google-Mobile", ..] => self.robot("AdsBot-Google", None),
            [word, ..] => {
                let (name, version) = word.split_once(['/', ':']).unwrap_or((word, ""));
                // Where there is nothing before the mark, all of it is the name.
                let name = if name.is_empty() { word } else { bare(name) };
                self.other(name, Some(bare(version)).filter(|version| !version.is_empty()));
                1
            }
        }
    }

    /// A word that has no meaning by itself: a name, often with a version.
    fn other(&mut self, name: &'a str, version: Option<&'a str>) {
        match name {
            "Kindle" => {
                self.system("Kindle", (version, 0), 0);
                self.own_browser("Kindle", version);
            }
            "FxiOS" => self.own_browser("Firefox iOS", version),
            "EdgiOS" | "CriOS" => {
                // Apple's tablets say that they are desktops.
                if self.os.is_some_and(|os| os.name == "Mac OS X") {
                    self.os = Some(Product::unversioned("iOS"));
                }
                self.ios |= name == "CriOS";
                self.own_browser(if name == "CriOS" { "Chrome Mobile iOS" } else { "Edge Mobile" }, version);
            }
            "GSA" => self.own_browser("Google", version),
            "SamsungBrowser" => self.own_browser("Samsung Internet", version),
            "NX" => self.own_browser("NetFront NX", version),
            "IEMobile" => self.own_browser("IE Mobile", version),
            "YisouSpider" | "ChatGPT-User" | "OAI-SearchBot" | "Electron" => self.own_browser(name, version),
            "Edg" | "Edge" => self.product("Edge", version),
            "OPR" => self.product("Opera", version),
            "HuaweiBrowser" => {
                self.huawei = true;
                self.product(name, version);
            }
            _ if has(name, [b"Bot", b"bot"]) || has(name, [b"Crawler", b"crawler"]) => {
                self.robot(name, version);
            }
            "Mobile" => {
                self.mobile = true;
                self.product(name, version);
            }
            "Safari" => {
                self.safari = true;
                self.product(name, version);
            }
            "CFNetwork" => {
                self.cfnetwork = true;
                self.ios = true;
            }
            _ if version.is_some_and(|version| has(version, [b"crawler"])) => self.crawler = true,
            "OculusBrowser" => self.os = Some(Product::unversioned("Android")),
            _ => self.product(name, version),
        }
    }

    /// A system's own name; of those with a version, the first counts.
    fn system(&mut self, name: &'a str, (version, read): (Option<&'a str>, usize), words: usize) -> usize {
        self.product(name, version);
        if self.os.is_none() && version.is_some() {
            self.os = Some(Product::new(name, version));
        }
        words + read
    }

    /// A browser's own name; of those with a version, the last counts.
    fn own_browser(&mut self, name: &'a str, version: Option<&'a str>) {
        self.product(name, version);
        if version.is_some() {
            self.browser = Some(Product::new(name, version));
        }
    }

    /// A device and its model, which stands behind the device's name, up to where that comes again.
    fn apple_device(&mut self, name: &'a str, word: &'a str) -> usize {
        self.ios = true;
        self.product(name, word.split(name).nth(1).map(bare).filter(|model| !model.is_empty()));
        1
    }

    /// A robot's name; the first counts.
    fn robot(&mut self, name: &'a str, version: Option<&'a str>) -> usize {
        if !self.bot {
            self.bot = true;
            self.browser = Some(Product::new(name, version));
        }
        1
    }

    fn product(&mut self, name: &'a str, version: Option<&'a str>) {
        let product = Product::new(name, version);
        if self.first.is_none() {
            self.first = Some(product);
        } else if self.second.is_none() {
            self.second = Some(product);
        }
        match name {
            "Chrome" => self.chrome = Some(product),
            "Version" => self.version = Some(product),
            "Android" => self.android = Some(product),
            "Firefox" | "Yahoo! Slurp" | "Silk" | "NetFront NX" | "YaBrowser" | "Edge" | "Opera"
            | "axios" | "HeadlessChrome" => {
                self.browser_product.get_or_insert(product);
            }
            _ => {}
        }
        if self.os_product.is_some() {
            return;
        }
        match name {
            "ATV OS X" | "Chromecast" => self.os_product = Some(Product::unversioned(name)),
            "iOS" | "Red Hat" | "Kindle" | "Ubuntu" => self.os_product = Some(product),
            "CPU OS" | "Version" => {
                let ios = Product::new("iOS", version);
                self.ios_product.get_or_insert(ios);
                if name == "CPU OS" {
                    self.cpu_os.get_or_insert(ios);
                }
            }
            _ if name.starts_with("Android") => {
                self.os_product = Some(Product::new("Android", version.filter(|_| name == "Android")));
            }
            _ => {}
        }
    }

    pub(super) fn os(&self) -> Product<'a> {
        let apple = match (self.ios, self.mac) {
            (true, true) => self.ios_product,
            (true, false) => self.cpu_os,
            _ => None,
        };
        let by_hint = match self {
            Self { ios: true, .. } => "iOS",
            Self { mac: true, .. } => "Mac OS X",
            Self { windows: true, .. } => "Windows",
            Self { linux: true, .. } => "Linux",
            _ => OTHER,
        };
        self.os.or(apple).or(self.os_product).unwrap_or(Product::unversioned(by_hint))
    }

    pub(super) fn browser(&self) -> Product<'a> {
        if let Some(browser) = self.browser {
            return browser;
        }
        if let Some(product) = self.browser_product {
            let name = match product.name {
                "Firefox" if self.mobile => "Firefox Mobile",
                "Silk" if self.playstation => return Product::unversioned("NetFront NX"),
                "Silk" => "Amazon Silk",
                "YaBrowser" => "Yandex Browser",
                "Edge" if self.mobile => "Edge Mobile",
                "Opera" if self.mobile => "Opera Mobile",
                name => name,
            };
            return Product::new(name, product.version);
        }
        if let Some(chrome) = self.chrome {
            let name = match (chrome.version, self.android) {
                _ if self.version.is_some() => "Chrome Mobile WebView",
                (Some(_), _) if self.mobile && !self.huawei => "Chrome Mobile",
                (None, Some(android)) => return android,
                _ => "Chrome",
            };
            return Product::new(name, chrome.version);
        }
        if let Some(android) = self.android {
            return android;
        }
        if let (true, Some(first)) = (self.cfnetwork, self.first) {
            return match first.name {
                "NetworkingExtension" => {
                    Product::new("CFNetwork", self.second.and_then(|second| second.version))
                }
                _ => first,
            };
        }
        let version = self.version.and_then(|version| version.version);
        match self {
            Self { safari: true, mobile: true, mac: false, .. } => Product::new("Mobile Safari", version),
            Self { safari: true, .. } => Product::new("Safari", version),
            Self { ios: true, .. } => Product::unversioned("Mobile Safari UI/WKWebView"),
            Self { crawler: true, .. } => Product::unversioned("crawler"),
            _ => Product::unversioned(OTHER),
        }
    }
}

/// True if one of `parts` is in the text. For texts this short it costs more to prepare a search than to search.
fn has<const LENGTH: usize, const COUNT: usize>(text: &str, parts: [&[u8; LENGTH]; COUNT]) -> bool {
    text.as_bytes().windows(LENGTH).any(|window| parts.iter().any(|part| window == *part))
}

/// A word without the punctuation around it, all of which is ASCII.
fn bare(word: &str) -> &str {
    let around = |byte: &u8| matches!(byte, b'(' | b')' | b';' | b',' | b'+' | b'_' | b'"');
    let bytes = word.as_bytes();
    let start = bytes.iter().position(|byte| !around(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !around(byte)).map_or(start, |last| last + 1);
    &word[start..end]
}
