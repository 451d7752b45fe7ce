//! Any text as a user agent: it is read unless it is too long, and whatever it says each part has something to compare.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statsig_engine::{UserAgent, UserAgentPart};

fuzz_target!(|text: &str| {
    let Some(read) = UserAgent::parse(text) else {
        assert!(text.len() > 1000);
        return;
    };
    assert!(text.len() <= 1000);
    for name in [UserAgentPart::OsName, UserAgentPart::BrowserName] {
        assert!(!read.part(name).is_empty());
    }
    for version in [UserAgentPart::OsVersion, UserAgentPart::BrowserVersion] {
        assert!(read.part(version).split('.').count() <= 4);
    }
});
