//! The country of an address: reading a table, looking in it, and conditions of the type `ip_based`.
#![allow(clippy::needless_pass_by_value, reason = "what is passed is a literal wherever it is")]
mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use statsig_engine::{Countries, Input, Reason, SpecKind};
use support::{
    ABSENT, Outcome, Project, condition, experiment, gate, layer, payload, rule, user, user_field, with,
};

const CODES: [&str; 5] = ["/~", "--", "US", "NZ", "FR"];
const ALL_BLOCKS: u32 = 1 << 24;

/// A table with a range of so many blocks of 256 addresses for each pair, the code by its index.
fn table(ranges: &[(u32, u8)]) -> Vec<u8> {
    let mut bytes = CODES.concat().into_bytes();
    bytes.extend(b"**");
    for &(blocks, code) in ranges {
        let [a, b, c, _] = blocks.to_le_bytes();
        match blocks {
            0..240 => bytes.push(a),
            240..0x1_0000 => bytes.extend([242, a, b]),
            _ => bytes.extend([243, a, b, c]),
        }
        bytes.push(code);
    }
    bytes
}

/// 1.0.0.0/8 is US but for 1.2.3.0/24, which is FR; 2.0.0.0/8 is NZ; what comes before is nobody's, and so
/// is what comes after, up to 4.0.0.0, where the table ends.
fn countries() -> Countries {
    let ranges = [(1 << 16, 1), (0x203, 2), (1, 4), (0xfdfc, 2), (1 << 16, 3), (1 << 16, 1)];
    Countries::parse(&table(&ranges)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn addresses_are_looked_up() {
    let countries = countries();
    for (address, expected) in [
        ("0.0.0.0", None),
        ("0.255.255.255", None),
        ("1.0.0.0", Some("US")),
        ("1.2.2.255", Some("US")),
        ("1.2.3.0", Some("FR")),
        ("1.2.3.255", Some("FR")),
        ("1.2.4.0", Some("US")),
        ("1.255.255.255", Some("US")),
        ("2.0.0.0", Some("NZ")),
        ("2.255.255.255", Some("NZ")),
        ("3.0.0.0", None),
        ("3.255.255.255", None),
        ("4.0.0.0", None),
        ("255.255.255.255", None),
        ("256.0.0.0", None),
    ] {
        assert_eq!(countries.lookup(address), expected, "{address}");
    }
}

#[test]
fn addresses_are_four_whole_numbers_of_any_size() {
    let countries = countries();
    for (address, expected) in [
        ("01.002.0003.0", Some("FR")),
        ("+1.+2.+3.+0", Some("FR")),
        ("1.2.2.256", Some("FR")),
        ("1.2.4.-1", Some("FR")),
        ("0.0.0.16909056", Some("FR")),
        ("2.-254.3.0", Some("FR")),
        ("1099511627777.2.3.0", Some("FR")), // 2^40 + 1: what goes beyond 64 bits is cut off
        ("-1.0.0.0", None),
        ("0.0.0.-1", None),
        ("-9223372036854775808.0.0.0", None),
        ("9223372036854775807.0.0.0", None),
        ("9223372036854775808.2.3.0", None),
        ("1.2.3", None),
        ("1.2.3.0.0", None),
        ("1.2.3.", None),
        (".1.2.3", None),
        ("1..2.3", None),
        ("...", None),
        ("", None),
        (" 1.2.3.0", None),
        ("1.2.3.0 ", None),
        ("1.2.3.0\n", None),
        ("1.2.3.0x", None),
        ("0x1.2.3.0", None),
        ("1e0.2.3.0", None),
        ("1_0.2.3.0", None),
        ("++1.2.3.0", None),
        ("1.2.3.0:80", None),
        ("\u{ff11}.2.3.0", None),
        ("::1", None),
        ("::ffff:1.2.3.0", None),
        ("2001:db8::1", None),
    ] {
        assert_eq!(countries.lookup(address), expected, "{address:?}");
    }
}

/// The first range that ends past the address, found by walking.
fn walk(ranges: &[(u32, u8)], block: u32) -> Option<&'static str> {
    let mut end = 0;
    let (_, code) = ranges.iter().find(|(blocks, _)| {
        end += blocks;
        end > block
    })?;
    Some(CODES[usize::from(*code)]).filter(|code| *code != "--")
}

fn some_ranges() -> impl Strategy<Value = Vec<(u32, u8)>> {
    let blocks = prop_oneof![
        4 => 0..4_u32,
        2 => select(vec![239_u32, 240, 242, 243, 255, 256, 257, 0xffff, 0x1_0000, 0x1_0001]),
        2 => 0..1000_u32,
        1 => 0..300_000_u32,
    ];
    vec((blocks, 0..CODES.len() as u8), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_look_up_finds_what_walking_finds(ranges in some_ranges(), anywhere in vec(0..ALL_BLOCKS, 20)) {
        let countries = Countries::parse(&table(&ranges)).unwrap();
        // Around every end, and anywhere.
        let ends = ranges.iter().scan(0, |end, (blocks, _)| {
            *end += blocks;
            Some(*end)
        });
        for block in ends.flat_map(|end| [end.saturating_sub(1), end]).chain(anywhere) {
            let [_, a, b, c] = block.to_be_bytes();
            for d in [0, 255] {
                let address = format!("{a}.{b}.{c}.{d}");
                prop_assert_eq!(countries.lookup(&address), walk(&ranges, block), "{}", address);
            }
        }
    }

    #[test]
    fn nothing_that_is_read_or_looked_up_panics(
        end in vec(any::<u8>(), 0..80), cut in 0..100_usize, address in "[-+0-9.]{0,24}|.{0,8}"
    ) {
        let mut bytes = table(&[(5, 2)]);
        bytes.truncate(cut);
        bytes.extend(end);
        if let Ok(countries) = Countries::parse(&bytes) {
            let _ = countries.lookup(&address);
        }
    }
}

#[test]
fn a_table_may_end_anywhere_up_to_the_last_address() {
    let whole = Countries::parse(&table(&[(ALL_BLOCKS - 1, 3), (1, 2)])).unwrap();
    assert_eq!(whole.lookup("255.255.254.255"), Some("NZ"));
    assert_eq!(whole.lookup("255.255.255.255"), Some("US"));
    assert_eq!(whole.lookup("256.0.0.0"), None);
    assert_eq!(Countries::parse(&table(&[])).unwrap().lookup("0.0.0.0"), None);
}

fn fault(table: &[u8]) -> String {
    Countries::parse(table).map_or_else(|error| error.to_string(), |_| panic!("it can be read"))
}

#[test]
fn faults_are_named_with_their_place() {
    let good = table(&[(5, 2)]);
    let codes = good.len() - 2;
    let with_end = |end: &[u8]| [&good[..codes], end].concat();
    for (bytes, expected) in [
        (Vec::new(), "at byte 0: it breaks off in the list of codes, which ends with one that starts with *"),
        (
            good[..7].to_vec(),
            "at byte 7: it breaks off in the list of codes, which ends with one that starts with *",
        ),
        (b"US\xc3\xa9**".to_vec(), "at byte 2: expected a code of two ASCII characters"),
        (b"US\xff\xff**".to_vec(), "at byte 2: expected a code of two ASCII characters"),
        (with_end(&[5]), "at byte 13: it breaks off in a range"),
        (with_end(&[242, 1]), "at byte 14: it breaks off in a range"),
        (with_end(&[243, 1, 0]), "at byte 15: it breaks off in a range"),
        (with_end(&[5, 5]), "at byte 12: expected the index of a code in the table"),
        (with_end(&[240, 2]), "at byte 12: expected a length of at most 239, 242 or 243"),
        (with_end(&[244, 2]), "at byte 12: expected a length of at most 239, 242 or 243"),
        (with_end(&[5, 2, 243, 255, 255, 255, 2]), "at byte 14: expected ranges of 2^32 addresses at most"),
    ] {
        assert_eq!(fault(&bytes), format!("the country table cannot be read {expected}"));
    }
}

// Conditions

/// A condition on the country, of a type other tests do not have.
fn ip_based(field: Value, operator: Value, target: Value) -> Value {
    let changes = json!({"field": field, "operator": operator, "targetValue": target});
    condition("ip_based", changes)
}

fn is(country: Option<&str>) -> Value {
    ip_based(json!("country"), json!("eq"), json!(country))
}

fn check(project: &Project, loaded: bool, kind: SpecKind, name: &str, user_json: &Value) -> Outcome {
    let (user, global, countries) = (user(user_json), user(&json!({})), countries());
    let countries = loaded.then_some(&countries);
    project.check_with(kind, name, &Input { countries, ..Input::new(user.view(), global.view()) })
}

#[test]
fn the_users_own_country_goes_before_that_of_the_address() {
    let (fr, us) = ("1.2.3.4", "1.0.0.0");
    for (user, expected) in [
        (json!({"ip": fr}), Some("FR")),
        (json!({"custom": {"ip": fr}}), Some("FR")),
        (json!({"privateAttributes": {"ip": fr}}), Some("FR")),
        (json!({"ip": fr, "custom": {"ip": us}}), Some("FR")),
        (json!({"ip": "", "custom": {"ip": fr}}), Some("FR")),
        (json!({"ip": fr, "country": "NZ"}), Some("NZ")),
        (json!({"ip": fr, "country": ""}), Some("FR")),
        (json!({"ip": fr, "custom": {"country": "NZ"}}), Some("NZ")),
        (json!({"ip": fr, "privateAttributes": {"country": "NZ"}}), Some("NZ")),
        (json!({"ip": fr, "custom": {"country": ""}}), Some("")),
        (json!({"ip": fr, "custom": {"country": null}}), None),
        (json!({"ip": "3.0.0.0"}), None),
        (json!({"ip": "x"}), None),
        (json!({"custom": {"ip": [fr]}}), None),
        (json!({"custom": {"ip": {"ip": fr}}}), None),
        (json!({"custom": {"ip": 1.2}}), None),
        (json!({}), None),
    ] {
        let outcome = check(&Project::of_conditions(&[&is(expected)]), true, SpecKind::Gate, "g", &user);
        assert!(outcome.passes && !outcome.country_not_loaded, "{user} is in {expected:?}");
    }
}

#[test]
fn only_the_field_country_is_looked_up() {
    let user = json!({"ip": "1.2.3.4", "email": "e", "country": ""});
    for (field, expected) in [
        (json!("Country"), None),
        (json!("ip"), Some("1.2.3.4")),
        (json!("email"), Some("e")),
        (json!(null), None),
        (json!(ABSENT), None),
    ] {
        for loaded in [true, false] {
            let condition = ip_based(field.clone(), json!("eq"), json!(expected));
            let outcome = check(&Project::of_conditions(&[&condition]), loaded, SpecKind::Gate, "g", &user);
            assert!(outcome.passes && !outcome.country_not_loaded, "{field}");
        }
    }
}

#[test]
fn a_ruleset_says_whether_it_needs_the_table() {
    for (condition, expected) in [
        (is(None), true),
        (ip_based(json!("country"), json!("bogus"), json!(null)), true),
        (ip_based(json!("Country"), json!("eq"), json!(null)), false),
        (user_field("country", "eq", json!(null)), false),
    ] {
        assert_eq!(Project::of_conditions(&[&condition]).0.uses_country(), expected, "{condition}");
    }
}

#[test]
fn without_a_table_a_look_up_is_null_and_shows() {
    let project = Project::of_conditions(&[&is(None)]);
    for (address, shows) in [
        (json!("1.2.3.4"), true),
        (json!("3.0.0.0"), true),
        (json!("a.b.c.d"), true),
        (json!("..."), true),
        (json!(["1.2.3.4"]), true),
        (json!("1.2.3"), false),
        (json!("::1"), false),
        (json!(""), false),
        (json!(1.5), false),
        (json!({"a": "1.2.3.4"}), false),
        (json!(null), false),
        (json!(ABSENT), false),
    ] {
        let user = json!({"custom": with(json!({}), json!({"ip": address}))});
        let outcome = check(&project, false, SpecKind::Gate, "g", &user);
        assert!(outcome.passes, "{address}");
        assert_eq!(outcome.country_not_loaded, shows, "{address}");
        assert!(!check(&project, true, SpecKind::Gate, "g", &user).country_not_loaded, "{address}");
    }
    let own = json!({"ip": "1.2.3.4", "custom": {"country": null}});
    assert!(!check(&project, false, SpecKind::Gate, "g", &own).country_not_loaded);
}

/// Gates, experiments and layers that come to a look-up, each in a way of its own.
fn specs() -> Project {
    let plain = |conditions| json!([rule("r", conditions, json!({}))]);
    let to = |conditions: Value, delegate: &str| {
        json!([rule("r", conditions, json!({"returnValue": {}, "configDelegate": delegate}))])
    };
    let none = json!({});
    let group = json!([rule("r", json!(["ip"]), json!({"returnValue": {}, "groupName": "G"}))]);
    Project::new(&payload(json!({
        "condition_map": {
            "ip": is(Some("FR")),
            "odd": ip_based(json!("country"), json!("bogus"), json!(null)),
            "unknown": condition("phase_of_the_moon", json!({})),
            "never": user_field("nobody has this", "any", json!(["x"])),
            "always": condition("public", json!({})),
            "listed": condition("unit_id", json!({"operator": "in_segment_list", "targetValue": "list"})),
            "pass:ip": condition("pass_gate", json!({"targetValue": "ip"})),
            "pass:unknown": condition("pass_gate", json!({"targetValue": "unknown"})),
            "group": condition("experiment_group", json!({"field": "e", "operator": "eq", "targetValue": null})),
        },
        "feature_gates": {
            "ip": gate(plain(json!(["ip"])), none.clone()),
            "failed before": gate(plain(json!(["never", "ip"])), none.clone()),
            "unsupported": gate(plain(json!(["ip", "unknown"])), none.clone()),
            "unsupported before": gate(plain(json!(["unknown", "ip"])), none.clone()),
            "odd": gate(plain(json!(["odd"])), none.clone()),
            "dangling": gate(plain(json!(["ip", "no such condition"])), none.clone()),
            "dangling before": gate(plain(json!(["no such condition", "ip"])), none.clone()),
            "listed": gate(plain(json!(["listed", "ip"])), none.clone()),
            "unknown": gate(plain(json!(["unknown"])), none.clone()),
            "rule before": gate(json!([rule("r", json!(["always"]), none.clone()), rule("s", json!(["ip"]), none.clone())]), none.clone()),
            "nested": gate(plain(json!(["pass:ip"])), none.clone()),
            "nested and own": gate(plain(json!(["ip", "pass:ip", "pass:unknown"])), none.clone()),
            "group": gate(plain(json!(["group"])), none.clone()),
            "group and own": gate(plain(json!(["ip", "group"])), none.clone()),
            "delegate": gate(to(json!(["always"]), "e"), none.clone()),
        },
        "dynamic_configs": {
            "e": experiment(group, none.clone()),
            "nested": experiment(plain(json!(["pass:ip"])), none.clone()),
        },
        "layer_configs": {
            "delegate": layer(to(json!(["always"]), "e"), none.clone()),
            "delegate nests": layer(to(json!(["always"]), "nested"), none.clone()),
            "merged": layer(to(json!(["always"]), "e"), json!({"useNewLayerEval": true})),
        },
    })))
}

#[test]
fn a_missing_table_shows_in_the_spec_and_its_delegates_only() {
    let (project, user) = (specs(), json!({"userID": "u", "ip": "1.2.3.4"}));
    for (kind, name, shows) in [
        (SpecKind::Gate, "ip", true),
        (SpecKind::Gate, "failed before", true),
        (SpecKind::Gate, "unsupported", true),
        (SpecKind::Gate, "unsupported before", true),
        (SpecKind::Gate, "odd", true),
        (SpecKind::Gate, "dangling", true),
        (SpecKind::Gate, "dangling before", false),
        (SpecKind::Gate, "listed", true),
        (SpecKind::Gate, "unknown", false),
        (SpecKind::Gate, "rule before", false),
        (SpecKind::Gate, "nested", false),
        (SpecKind::Gate, "nested and own", true),
        (SpecKind::Gate, "group", false),
        (SpecKind::Gate, "group and own", true),
        (SpecKind::Gate, "delegate", true),
        (SpecKind::Config, "e", true),
        (SpecKind::Config, "nested", false),
        (SpecKind::Layer, "delegate", true),
        (SpecKind::Layer, "delegate nests", false),
        (SpecKind::Layer, "merged", true),
    ] {
        assert_eq!(check(&project, false, kind, name, &user).country_not_loaded, shows, "{name}");
        assert!(!check(&project, true, kind, name, &user).country_not_loaded, "{name}");
    }
    // What else there is to tell stays as it is.
    assert_eq!(check(&project, false, SpecKind::Gate, "unsupported", &user).reason, Reason::Unsupported);
    assert!(check(&project, false, SpecKind::Gate, "listed", &user).id_list_lookup);
}
