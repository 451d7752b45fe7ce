//! `ua_based` conditions: what a user agent tells, where it is looked for, and that any text is fine.
#![allow(clippy::needless_pass_by_value, reason = "what is passed is a literal wherever this is called")]
mod support;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use statsig_engine::{UserAgent, UserAgentPart};
use support::{ABSENT, Project, condition, conditions, gate, holds, payload, rule, with};

const PARTS: [UserAgentPart; 4] = [
    UserAgentPart::OsName,
    UserAgentPart::OsVersion,
    UserAgentPart::BrowserName,
    UserAgentPart::BrowserVersion,
];

const PHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1";

/// `⟨system⟩ ⟨version⟩ / ⟨browser⟩ ⟨version⟩`
fn parse(text: &str) -> String {
    let parsed = UserAgent::parse(text).unwrap_or_else(|| panic!("{} bytes are not too long", text.len()));
    let [os, os_version, browser, browser_version] = PARTS.map(|part| parsed.part(part));
    format!("{os} {os_version} / {browser} {browser_version}")
}

fn check(rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|&(text, expected)| (text, expected, parse(text)))
        .filter(|(_, expected, actual)| actual != expected)
        .map(|(text, expected, actual)| format!("{text}\n  expected {expected}\n  got      {actual}"))
        .collect();
    assert!(wrong.is_empty(), "{} wrong rows\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn desktop_browsers() {
    check(&[
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0.1.2 Safari/537.36",
            "Windows 10 / Chrome 126.0.1.2",
        ),
        (
            "Mozilla/5.0 (Windows NT 6.1) Chrome/126.0.0.0 Safari/5 Edg/126.0.25.7",
            "Windows 7 / Edge 126.0.25.7",
        ),
        (
            "Mozilla/5.0 (Windows NT 6.3) Chrome/126.0.0.0 Safari/5 OPR/111.2.3.4",
            "Windows 8.1 / Opera 111.2.3",
        ),
        (
            "Mozilla/5.0 (Windows NT 6.0; rv:127.0) Gecko/20100101 Firefox/127.0",
            "Windows Vista / Firefox 127.0",
        ),
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)", "Windows XP / IE 8.0"),
        ("Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko", "Windows 10 / Other 0.0.0"),
        ("Mozilla/5.0 (Windows NT 6.2) Electron/30.1.2 Safari/5", "Windows 0.0.0 / Electron 30.1.2"),
        ("Mozilla/5.0 (Windows XP) Chrome/49.0", "Windows 0.0.0 / Chrome 49.0"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Version/17.5 Safari/605.1.15",
            "Mac OS X 14.5 / Safari 17.5",
        ),
        ("Mozilla/5.0 (Macintosh; PPC Mac OS X; en) Safari/125", "Mac OS X 0.0.0 / Safari 0.0.0"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/126.0 Safari/5",
            "Linux 0.0.0 / HeadlessChrome 126.0",
        ),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:9) Firefox/127.0", "Ubuntu 0.0.0 / Firefox 127.0"),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 15917.71.0) Chrome/126.0 Safari/5",
            "Chrome OS 15917.71.0 / Chrome 126.0",
        ),
        ("Mozilla/5.0 (X11; CrOS 15917.71.0) Chrome/126.0 Safari/5", "Chrome OS 15917.71.0 / Chrome 126.0"),
    ]);
}

#[test]
fn phones_tablets_and_consoles() {
    check(&[
        (PHONE, "iOS 17.5.1 / Mobile Safari 17.5"),
        (
            "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) CriOS/126.0.1.2 Mobile/1",
            "iOS 16.6 / Chrome Mobile iOS 126.0.1.2",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) CriOS/126.0 Safari/6",
            "iOS 0.0.0 / Chrome Mobile iOS 126.0",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) EdgiOS/126.0 Safari/6",
            "iOS 0.0.0 / Edge Mobile 126.0",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/1",
            "iOS 17.0 / Mobile Safari UI/WKWebView 0.0.0",
        ),
        (
            "Mozilla/5.0 (iPhone; U; CPU like Mac OS X; en) Version/3.0 Mobile/1 Safari/4",
            "iOS 0.0.0 / Mobile Safari 3.0",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/126.0 Mobile Safari/5",
            "Android 14 / Chrome Mobile 126.0",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; wv) Version/4.0 Chrome/126.0 Mobile",
            "Android 14 / Chrome Mobile WebView 126.0",
        ),
        ("Mozilla/5.0 (Linux; Android 9; BRAVIA) Chrome/91.0 CrKey/1.5", "Android 9 / Chrome 91.0"),
        (
            "Mozilla/5.0 (Linux; Android 9; KF) Silk/112.4.1 like Chrome/112.0",
            "Android 9 / Amazon Silk 112.4.1",
        ),
        ("Mozilla/5.0 (Linux; Android 10) Chrome/8.0 HuaweiBrowser/12 Mobile", "Android 10 / Chrome 8.0"),
        (
            "Mozilla/5.0 (Linux; Android 12) Chrome/113.0 YaBrowser/23.5.1.24.00 Mobile",
            "Android 12 / Yandex Browser 23.5.1",
        ),
        (
            "Mozilla/5.0 (Linux; Android 12; Quest) OculusBrowser/9 SamsungBrowser/4",
            "Android 0.0.0 / Samsung Internet 4",
        ),
        (
            "Mozilla/5.0 (Windows Phone 10.0; Android 6.0) Mobile Edge/15.1",
            "Windows Phone 10.0 / Edge Mobile 15.1",
        ),
        ("Mozilla/5.0 (PlayStation Vita 3.7) Silk/3.2", "Other 0.0.0 / NetFront NX 0.0.0"),
        ("Mozilla/5.0 (Nintendo 3DS; U; ; en) Version/1.7", "Other 0.0.0 / NetFront NX 0.0.0"),
        ("AppleTV6,2/11.1", "ATV OS X 0.0.0 / Other 0.0.0"),
        ("Mozilla/5.0 (X11; U; Linux; en-us) Kindle/3.0+", "Kindle 3.0 / Kindle 3.0"),
    ]);
}

#[test]
fn crawlers_apps_and_libraries() {
    check(&[
        ("Mozilla/5.0 (compatible; Somebot/2.1; +http://some.test/bot.html)", "Other 0.0.0 / Somebot 2.1"),
        ("Firstbot/1.0 Secondbot/2.0", "Other 0.0.0 / Firstbot 1.0"),
        ("Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.test/)", "Other 0.0.0 / Yahoo! Slurp 0.0.0"),
        ("Better Uptime Bot", "Other 0.0.0 / Better Uptime Bot 0.0.0"),
        ("fetcher/a-crawler-1", "Other 0.0.0 / crawler 0.0.0"),
        // Where nothing is before the slash, the slash belongs to the name.
        ("see /bot/help", "Other 0.0.0 / /bot/help bot/help"),
        ("MyApp/3.2.1 CFNetwork/1408.0.4 Darwin/22.5.0", "iOS 0.0.0 / MyApp 3.2.1"),
        ("NetworkingExtension/8 MyApp/3 CFNetwork/1", "iOS 0.0.0 / CFNetwork 3"),
        ("linux CFNetwork/1", "iOS 0.0.0 / Linux 0.0.0"),
        ("iPhone12,1iPhone CFNetwork/1", "iOS 0.0.0 / iPhone 12.1"),
        ("MyApp/1.2 (Android 15; build 7)", "Android 15 / Android 15"),
        ("curl/8.1.2", "Other 0.0.0 / Other 0.0.0"),
        ("axios/1.6.2", "Other 0.0.0 / axios 1.6.2"),
        ("", "Other 0.0.0 / Other 0.0.0"),
        (" ;; ;", "Other 0.0.0 / Other 0.0.0"),
    ]);
}

#[test]
fn versions_are_joined_with_dots_and_not_padded() {
    for (version, expected) in [
        ("7", "7"),
        ("7_1,2.3", "7.1.2.3"),
        ("7.1.2.3.4", "7.1.2.3"),
        ("7.", "7"),
        ("7..", "7."),
        ("7.1beta2.3", "7.1.3"),
        ("7beta.1", "7beta.1"),
        ("7.x.2", "7..2"),
        ("7.1\u{663}", "7.1"),
    ] {
        assert_eq!(parse(&format!("Firefox/{version}")), format!("Other 0.0.0 / Firefox {expected}"));
    }
}

#[test]
fn what_is_longer_than_1000_bytes_is_not_read() {
    for filler in ["x", " ", "é", "Bot/1 ok "] {
        let text = filler.repeat(1000 / filler.len());
        let last = "x".repeat(1000 - text.len());
        assert!(UserAgent::parse(&format!("{text}{last}")).is_some(), "{filler}");
        assert!(UserAgent::parse(&format!("{text}{last}x")).is_none(), "{filler}");
    }
}

/// A condition on a part of the user agent.
fn ua_based(field: &str, operator: &str, target: Value) -> Value {
    condition("ua_based", json!({"field": field, "operator": operator, "targetValue": target}))
}

#[test]
fn a_field_names_a_part_in_any_case_with_or_without_underscore() {
    let user = json!({"userAgent": PHONE});
    for (fields, expected) in [
        (["os_name", "osname", "OS_NAME", "osName"], "iOS"),
        (["os_version", "osversion", "Os_Version", "OSVERSION"], "17.5.1"),
        (["browser_name", "browsername", "Browser_Name", "browserName"], "Mobile Safari"),
        (["browser_version", "browserversion", "BROWSER_VERSION", "browserVersion"], "17.5"),
    ] {
        for field in fields {
            let condition = ua_based(field, "any_case_sensitive", json!([expected]));
            assert_eq!(holds(&condition, &user), Some(true), "{field}");
        }
    }
    for field in ["os__name", "os name", "device", "", "o\u{17f}_name"] {
        assert_eq!(holds(&ua_based(field, "eq", json!(null)), &user), Some(true), "{field}");
    }
    for field in [json!(null), json!(ABSENT)] {
        let condition = with(ua_based("", "eq", json!(null)), json!({"field": field}));
        assert_eq!(holds(&condition, &user), Some(true), "{field}");
    }
    assert_eq!(holds(&ua_based("os_version", "version_gt", json!("17.5")), &user), Some(true));
    assert_eq!(holds(&ua_based("os_name", "is", json!("iOS")), &user), None);
}

#[test]
fn an_attribute_of_the_fields_name_goes_before_the_user_agent() {
    for (custom, own) in [
        (json!({"os_name": "mine"}), json!("mine")),
        (json!({"os_name": ""}), json!("")),
        (json!({"os_name": null}), json!(null)),
        (json!({"OS_NAME": "other case", "osname": "other name"}), json!("iOS")),
    ] {
        for map in ["custom", "privateAttributes"] {
            let user = json!({"userAgent": PHONE, map: custom});
            assert_eq!(holds(&ua_based("os_name", "eq", own.clone()), &user), Some(true), "{user}");
        }
    }
    // The look-up is that of a user field, whatever the field.
    let user = json!({"userID": "u", "userAgent": PHONE, "custom": {"device": "x"}});
    for (field, value) in [("device", "x"), ("userAgent", PHONE), ("user_id", "u")] {
        assert_eq!(holds(&ua_based(field, "eq", json!(value)), &user), Some(true), "{field}");
    }
}

#[test]
fn the_user_agent_is_looked_up_like_a_user_field() {
    let other = "Firefox/127.0";
    for (user, expected) in [
        (json!({"userAgent": PHONE, "custom": {"userAgent": other}}), json!("iOS")),
        (json!({"userAgent": "", "custom": {"userAgent": PHONE}}), json!("iOS")),
        (json!({"custom": {"useragent": PHONE}}), json!("iOS")),
        (json!({"privateAttributes": {"userAgent": PHONE}}), json!("iOS")),
        (json!({"custom": {"userAgent": other}, "privateAttributes": {"userAgent": PHONE}}), json!("Other")),
        (json!({"custom": {"userAgent": ["x Android 13 y"]}}), json!("Android")),
        // An attribute that is text, if only no text, is a user agent about which nothing is known.
        (json!({"custom": {"userAgent": ""}, "privateAttributes": {"userAgent": PHONE}}), json!("Other")),
        (json!({"custom": {"userAgent": 12}}), json!("Other")),
        (json!({"custom": {"userAgent": true}}), json!("Other")),
        (json!({"custom": {"userAgent": null}, "privateAttributes": {"userAgent": PHONE}}), json!(null)),
        (json!({"custom": {"userAgent": {"a": PHONE}}}), json!(null)),
        (json!({"custom": {"user_agent": PHONE}}), json!(null)),
        (json!({"userAgent": ""}), json!(null)),
        (json!({}), json!(null)),
        (json!({"userAgent": format!("{PHONE:1000}")}), json!("iOS")),
        (json!({"userAgent": format!("{PHONE:1001}")}), json!(null)),
    ] {
        assert_eq!(
            holds(&ua_based("os_name", "eq", expected.clone()), &user),
            Some(true),
            "{expected} {user}"
        );
    }
}

#[test]
fn all_conditions_of_a_check_see_the_same_user_agent() {
    let nested = condition("pass_gate", json!({"targetValue": "nested"}));
    let parts = json!({
        "os": ua_based("os_name", "any", json!(["ios"])),
        "browser": ua_based("browser_name", "any", json!(["mobile safari"])),
        "version": ua_based("browser_version", "version_eq", json!("17.5")),
        "nested": nested,
    });
    let project = Project::new(&payload(json!({
        "condition_map": with(conditions(&[]), parts),
        "feature_gates": {
            "g": gate(json!([rule("r", json!(["os", "nested", "version"]), json!({}))]), json!({})),
            "nested": gate(json!([rule("n", json!(["browser", "os"]), json!({}))]), json!({})),
        },
    })));
    let outcome = project.gate("g", &json!({"userAgent": PHONE}));
    assert!(outcome.passes);
    assert_eq!(outcome.exposures, ["nested=true by n"]);
    assert!(!project.gate("g", &json!({"userAgent": "curl/8.0"})).passes);
}

/// Words the parser knows, and what may stand between and within them.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec![
            "Mac", "OS", "X", "iOS", "iPhone", "iPad", "CPU", "like", "CrOS", "Android", "Windows", "NT", "XP", "Phone",
            "MSIE", "Red", "Hat", "Yahoo!", "Slurp", "Mobile", "Linux", "Nintendo", "3DS", "AppleTV", "Ubuntu", "Uptime",
            "Kindle/", "CriOS/", "OculusBrowser", "Version/", "Chrome/", "Safari/", "Silk/", "CFNetwork/", "Bot", "Edge/",
            "NetworkingExtension/", "x/crawler", "Firefox/",
        ]).prop_map(str::to_owned),
        4 => select(vec![" ", ";", "; ", "(", ")", ",", "+", "_", "\"", "/", ":", ".", "", "\t"]).prop_map(str::to_owned),
        2 => "[0-9]{1,3}([._,][0-9a-z]{0,2}){0,5}",
        1 => any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => any::<String>(),
        4 => prop::collection::vec(piece(), 0..60).prop_map(|pieces| pieces.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_too_long(text in text()) {
        let Some(parsed) = UserAgent::parse(&text) else {
            prop_assert!(text.len() > 1000);
            return Ok(());
        };
        prop_assert!(text.len() <= 1000);
        for (part, field) in PARTS.into_iter().zip(["os_name", "os_version", "browser_name", "browser_version"]) {
            prop_assert_eq!(UserAgentPart::of_field(field), Some(part));
            let answer = parsed.part(part);
            prop_assert!(answer.len() <= text.len().max("Mobile Safari UI/WKWebView".len()));
            if !text.is_empty() {
                let condition = ua_based(field, "any_case_sensitive", json!([answer]));
                prop_assert_eq!(holds(&condition, &json!({"userAgent": text})), Some(true));
            }
        }
    }

    #[test]
    fn spaces_around_and_semicolons_for_spaces_change_nothing(text in text()) {
        let padded = format!(" {text}; ");
        if let (Some(one), Some(other)) = (UserAgent::parse(&text), UserAgent::parse(&padded)) {
            prop_assert_eq!(PARTS.map(|part| one.part(part)), PARTS.map(|part| other.part(part)));
        }
        let marked = text.replace(' ', ";");
        if let (Some(one), Some(other)) = (UserAgent::parse(&text), UserAgent::parse(&marked)) {
            prop_assert_eq!(PARTS.map(|part| one.part(part)), PARTS.map(|part| other.part(part)));
        }
    }

    #[test]
    fn fields_of_any_name_are_parts_or_not(field in any::<String>()) {
        let plain = field.to_lowercase().replace('_', "");
        let known = ["osname", "osversion", "browsername", "browserversion"].contains(&plain.as_str());
        prop_assert!(known || UserAgentPart::of_field(&field).is_none());
    }
}
