//! Operating system and browser of a user agent, as the reference's built-in parser tells them.
//!
//! [`words`] chooses both from the words of the text; what is here is the result: names, and versions
//! in the form in which they are compared.

mod words;

use smallvec::SmallVec;

use words::Words;

/// A user agent longer than this, in bytes, is not looked at: what is asked about it is null.
const LONGEST: usize = 1000;

/// What a condition on the user agent can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserAgentPart {
    /// `os_name`
    OsName,
    /// `os_version`
    OsVersion,
    /// `browser_name`
    BrowserName,
    /// `browser_version`
    BrowserVersion,
}

impl UserAgentPart {
    /// The part a condition's field asks for: in any case, with or without the underscore.
    #[must_use]
    pub fn of_field(field: &str) -> Option<Self> {
        match field.to_ascii_lowercase().as_str() {
            "os_name" | "osname" => Some(Self::OsName),
            "os_version" | "osversion" => Some(Self::OsVersion),
            "browser_name" | "browsername" => Some(Self::BrowserName),
            "browser_version" | "browserversion" => Some(Self::BrowserVersion),
            _ => None,
        }
    }
}

/// Operating system and browser, with their versions.
#[derive(Debug)]
pub struct UserAgent<'a> {
    os: &'a str,
    os_version: Version<'a>,
    browser: &'a str,
    browser_version: Version<'a>,
}

impl<'a> UserAgent<'a> {
    /// Reads a user agent in one pass; None if it is longer than 1000 bytes.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let words = Words::read(text);
        let (os, browser) = (words.os(), words.browser());
        Some(Self {
            os: os.name,
            os_version: Version::of(os),
            browser: browser.name,
            browser_version: Version::of(browser),
        })
    }

    /// One part. Names are `Other` and versions `0.0.0` where the text does not tell them.
    #[must_use]
    pub fn part(&self, part: UserAgentPart) -> &str {
        match part {
            UserAgentPart::OsName => self.os,
            UserAgentPart::OsVersion => self.os_version.text(),
            UserAgentPart::BrowserName => self.browser,
            UserAgentPart::BrowserVersion => self.browser_version.text(),
        }
    }
}

/// A version as it is compared.
#[derive(Debug)]
enum Version<'a> {
    /// As it stands in the user agent.
    Found(&'a str),
    /// Put together from its numbers.
    Joined(SmallVec<[u8; 24]>),
}

impl<'a> Version<'a> {
    fn of(product: Product<'a>) -> Self {
        let Some(version) = product.version else {
            return Self::Found("0.0.0");
        };
        if product.name == "Windows" {
            return Self::Found(match version {
                "5.1" | "5.2" => "XP",
                "6.0" => "Vista",
                "6.1" => "7",
                "6.3" => "8.1",
                "10.0" => "10",
                _ => "0.0.0",
            });
        }
        let numbers = match product.name {
            "Yandex Browser" | "Opera" | "Opera Mobile" | "NetFront NX" => 3,
            _ => 4,
        };
        let mut joined = SmallVec::new();
        let version = version.strip_suffix(['_', ',', '.']).unwrap_or(version);
        for (index, number) in version.split(['_', ',', '.']).take(numbers).enumerate() {
            if index > 0 {
                joined.push(b'.');
            }
            let end = match index {
                1 => number.find(|character: char| !character.is_ascii_digit()).unwrap_or(number.len()),
                _ => number.len(),
            };
            joined.extend_from_slice(&number.as_bytes()[..end]);
        }
        match version.get(..joined.len()) {
            Some(start) if start.as_bytes() == joined.as_slice() => Self::Found(start),
            _ => Self::Joined(joined),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Found(text) => text,
            Self::Joined(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
        }
    }
}

/// A system, browser or other word with the version that goes with it.
#[derive(Clone, Copy, Debug)]
struct Product<'a> {
    name: &'a str,
    version: Option<&'a str>,
}

impl<'a> Product<'a> {
    const fn new(name: &'a str, version: Option<&'a str>) -> Self {
        Self { name, version }
    }

    const fn unversioned(name: &'a str) -> Self {
        Self::new(name, None)
    }
}
