//! ID lists: what their files say, and conditions that look at them. Without lists: `operators/id_lists.rs`.
mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use statsig_engine::{IdList, IdLists, Input, SpecKind};
use std::collections::HashSet;
use std::sync::Arc;
use support::{ABSENT, Outcome, Project, condition, user, user_field, with};

/// The first eight characters of the base64 of the SHA-256, by the book: one bit after the other.
fn written(id: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = Sha256::digest(id.as_bytes())
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    bits.chunks(6)
        .take(8)
        .map(|six| ALPHABET[six.iter().fold(0, |number, &bit| number << 1 | usize::from(bit))] as char)
        .collect()
}

fn list(lines: &str) -> IdList {
    let mut list = IdList::default();
    assert!(list.apply(lines.as_bytes()), "{lines:?} is a list file");
    list
}

#[test]
fn known_members() {
    for (id, expected) in [("in1", "h9rFFQbQ"), ("user-123", "/N7G301E"), ("", "47DEQpj8"), ("a", "ypeBEsob")]
    {
        assert_eq!(written(id), expected);
        let list = list(&format!("+{expected}\n"));
        assert!(list.contains(id) && list.len() == 1);
        assert!(!list.contains("another"));
    }
    assert!(list("").is_empty());
}

#[test]
fn lines_that_are_odd() {
    // Each says whether "a" is then on the list.
    for (lines, expected) in [
        ("+ypeBEsob", true),
        ("+ypeBEsob\r\n", true),
        ("+ypeBEsob\r\n+PiPoFgA5\r\n", true),
        ("\n\n+ypeBEsob\n\n", true),
        ("+\n+ypeBEsob\n", true),
        ("+\n# x\n+ypeBEsob\n", true),
        ("+é\n+ypeBEsob\n", true),
        ("-ypeBEsob\n+ypeBEsob\n", true),
        ("+ypeBEsob\n- ypeBEsob\n", true),
        ("+ypeBEsob\n-ypeBEsob  \n", true),
        ("+ypeBEsob\n-ypeBEsobv\n", true),
        ("+ypeBEsob\n-+ypeBEsob\n", true),
        ("+ypeBEsob\n-ypeBEsob\n", false),
        ("+ypeBEsob\n+ypeBEsob\n-ypeBEsob\n", false),
        ("+ypeBEsob\n-ypeBEsob\r\n", false),
        ("-ypeBEsob\n+ypeBEsob\n-ypeBEsob", false),
        ("-ypeBEsob\n", false),
        ("-\nypeBEsob\n", false),
        (" +ypeBEsob\n", false),
        ("\t+ypeBEsob\n", false),
        ("+ ypeBEsob\n", false),
        ("+ypeBEsob \n", false),
        ("+ypeBEsob\r\r\n", false),
        ("+ypeBEsob\r", false),
        ("+ypeBEsob\r+PiPoFgA5\n", false),
        ("+ypeBEso\n", false),
        ("+ypeBEsobv\n", false),
        ("+ypebesob\n", false),
        ("+ypeBEsob=\n", false),
        ("++ypeBEsob\n", false),
        ("-\n*ypeBEsob\n", false),
        ("+a\n", false),
    ] {
        assert_eq!(list(lines).contains("a"), expected, "{lines:?}");
    }
    // "0" is X+zrZv/I; the alphabet that has other characters for + and / does not count.
    for id in (0..2000).map(|number| number.to_string()) {
        let written = written(&id);
        let other = written.replace('+', "-").replace('/', "_");
        assert!(list(&format!("+{written}")).contains(&id), "{id}");
        assert_eq!(list(&format!("+{other}")).contains(&id), other == written, "{id}");
    }
}

#[test]
fn what_is_no_list_file_changes_nothing() {
    for (start, expected) in [
        ("", true),
        ("\n", true),
        (" \n\t\r\n\u{b}", true),
        ("\u{a0}\u{2003}\n", true),
        ("++\n", true),
        ("-\n", true),
        (" + \n", true),
        ("*\n", false),
        ("\n*\n", false),
        ("# x\n", false),
        ("ypeBEsob\n", false),
        ("\0\n", false),
        ("<!doctype html>\n", false),
        ("{\"error\": 1}\n", false),
    ] {
        let mut list = list("+PiPoFgA5\n");
        let lines = format!("{start}\n-PiPoFgA5\n+ypeBEsob\n");
        assert_eq!(list.apply(lines.as_bytes()), expected, "{start:?}");
        assert_eq!((list.contains("a"), list.contains("b")), (expected, !expected), "{start:?}");
    }
    let mut list = IdList::default();
    assert!(list.apply(b"") && list.apply(b" \r\n\n"));
    assert!(!list.apply(b"\xff+ypeBEsob") && !list.apply(b"\n\xff") && list.is_empty());
    assert!(!list.apply(b"+ypeBEsob\n+\xff\xff\n") && list.is_empty());
    // This ends the thread of the reference that reads the file.
    assert!(list.apply("+ypeBEsob\né\n+PiPoFgA5".as_bytes()) && list.contains("a") && list.contains("b"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_list_holds_what_was_added_and_not_removed(
        changes in vec((any::<bool>(), select(vec!["", "a", "b", "é", "5", "user-1"]), any::<bool>()), 0..30),
        cut in 0..30_usize,
    ) {
        let (mut expected, mut once, mut lines) = (HashSet::new(), IdList::default(), String::new());
        for &(add, id, crlf) in &changes {
            lines += if add { "+" } else { "-" };
            lines += &written(id);
            lines += if crlf { "\r\n" } else { "\n" };
            if add { expected.insert(id) } else { expected.remove(id) };
        }
        prop_assert!(once.apply(lines.as_bytes()));
        // The same changes in two steps.
        let at = lines.split_inclusive('\n').take(cut).map(str::len).sum();
        let mut twice = list(&lines[..at]);
        prop_assert!(twice.apply(&lines.as_bytes()[at..]));
        for list in [&once, &twice] {
            prop_assert_eq!(list.len(), expected.len());
            prop_assert!(["", "a", "b", "é", "5", "user-1"].iter().all(|id| list.contains(id) == expected.contains(id)));
        }
    }

    #[test]
    fn an_id_and_its_written_form_are_the_same_member(id in ".{0,80}") {
        let mut by_id = IdList::default();
        by_id.insert(&id);
        let by_line = list(&format!("+{}", written(&id)));
        prop_assert!(by_id.contains(&id) && by_line.contains(&id));
        let removal = format!("-{}", written(&id));
        prop_assert!(by_id.apply(removal.as_bytes()) && by_id.is_empty());
    }

    #[test]
    fn no_file_makes_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let mut list = IdList::default();
        prop_assert!(list.apply(&bytes) || list.is_empty());
        prop_assert!(list.len() <= bytes.len() / 9);
    }
}

fn lists() -> IdLists {
    let mut members = IdList::default();
    for id in ["in1", "5", "true", "[\"in1\"]"] {
        members.insert(id);
    }
    let mut lists = IdLists::default();
    lists.insert("L", Arc::new(members));
    lists.insert("empty id", Arc::new(list("+47DEQpj8\n")));
    lists
}

fn check(conditions: &[&Value], lists: Option<&IdLists>, json: &Value) -> Outcome {
    let (user, global) = (user(json), user(&json!({})));
    let input = Input { id_lists: lists, ..Input::new(user.view(), global.view()) };
    Project::of_conditions(conditions).check_with(SpecKind::Gate, "g", &input)
}

#[test]
fn a_value_is_on_a_list_by_its_text() {
    let lists = lists();
    for (value, target, expected) in [
        (json!("in1"), json!("L"), true),
        (json!("IN1"), json!("L"), false),
        (json!("out"), json!("L"), false),
        (json!(5), json!("L"), true),
        (json!(5.0), json!("L"), true),
        (json!("5"), json!("L"), true),
        (json!("5.0"), json!("L"), false),
        (json!(true), json!("L"), true),
        (json!(["in1"]), json!("L"), true),
        (json!(["in2"]), json!("L"), false),
        (json!({"in1": true}), json!("L"), false),
        (json!(null), json!("L"), false),
        (json!(ABSENT), json!("L"), false),
        (json!(""), json!("L"), false),
        (json!(""), json!("empty id"), true),
        (json!(null), json!("empty id"), false),
        (json!(ABSENT), json!("empty id"), false),
        (json!("in1"), json!("l"), false),
        (json!("in1"), json!("no list"), false),
        (json!("in1"), json!(["L"]), false),
        (json!("in1"), json!(null), false),
    ] {
        for (operator, expected) in [("in_segment_list", expected), ("not_in_segment_list", !expected)] {
            let condition = user_field("f", operator, target.clone());
            let custom = json!({"custom": with(json!({}), json!({"f": value}))});
            assert_eq!(
                check(&[&condition], Some(&lists), &custom).passes,
                expected,
                "{value} {operator} {target}"
            );
            let without = operator == "not_in_segment_list";
            assert_eq!(check(&[&condition], None, &custom).passes, without, "{value} {operator} {target}");
        }
    }
}

#[test]
fn units_are_looked_up_and_it_shows() {
    let on = |id_type: &str| {
        let changes = json!({"idType": id_type, "operator": "in_segment_list", "targetValue": "L"});
        condition("unit_id", changes)
    };
    let user = json!({"userID": "in1", "customIDs": {"companyID": 5}});
    for (condition, expected) in [(on("userID"), true), (on("companyID"), true), (on("deviceID"), false)] {
        let outcome = check(&[&condition], Some(&lists()), &user);
        assert_eq!((outcome.passes, outcome.id_list_lookup), (expected, expected), "{condition}");
    }
}

#[test]
fn a_copy_of_lists_is_not_changed_with_the_original() {
    let mut changed = lists();
    let copy = changed.clone();
    changed.remove("L");
    changed.insert("empty id", Arc::new(IdList::default()));
    assert!(!changed.contains("L", "in1") && !changed.contains("empty id", ""));
    assert!(copy.contains("L", "in1") && copy.contains("empty id", ""));
    assert_eq!((changed.get("L").map(IdList::len), copy.get("L").map(IdList::len)), (None, Some(4)));
}

#[test]
fn a_ruleset_says_whether_it_looks_at_lists() {
    for (condition, expected) in [
        (user_field("f", "not_in_segment_list", json!("L")), true),
        (user_field("f", "in_segment_list", json!(["L"])), false),
        (user_field("f", "any", json!(["L"])), false),
    ] {
        assert_eq!(Project::of_conditions(&[&condition]).0.uses_id_lists(), expected, "{condition}");
    }
}
