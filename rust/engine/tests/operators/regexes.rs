//! `str_matches`: an unanchored search in the dialect of the reference.

use crate::support::{ABSENT, check_table};
use serde_json::{Value, json};

fn check(rows: &[(&str, &str, bool)]) {
    let rows: Vec<Value> =
        rows.iter().map(|(value, pattern, expected)| json!([value, pattern, expected])).collect();
    check_table("str_matches", &json!(rows));
}

#[test]
fn searches_anywhere_and_minds_case() {
    check(&[
        ("wellington", "ling", true),
        ("wellington", "^ling", false),
        ("wellington", "^wel.*ton$", true),
        ("Wellington", "wellington", false),
        ("Wellington", "(?i)WELLINGTON", true),
        ("wellington", "", true),
        ("", "^$", true),
        ("a.b", "a\\.b", true),
        ("/a/", "/a/", true),
    ]);
}

#[test]
fn missing_values_match_nothing_and_others_by_their_text() {
    check_table(
        "str_matches",
        &json!([
            [ABSENT, ".*", false],
            [ABSENT, "", false],
            [ABSENT, "^$", false],
            [null, "null", false],
            [{"a": 1}, "a", false],
            [123, "^1.3$", true],
            [1.0, "^1$", true],
            [1e21, "^10{21}$", true],
            [true, "^true$", true],
            [["a", "b"], "^\\[\"a\",\"b\"\\]$", true],
        ]),
    );
}

#[test]
fn the_pattern_is_text() {
    check_table(
        "str_matches",
        &json!([
            ["5", 5, false],
            ["x", null, false],
            ["x", ABSENT, false],
            ["x", ["x"], false],
            ["true", true, false]
        ]),
    );
}

#[test]
fn lines_and_ends() {
    check(&[
        ("end\n", "end$", false),
        ("end\n", "(?m)end$", true),
        ("a\nb", "^b", false),
        ("a\nb", "(?m)^b$", true),
        ("a\nb", "a.b", false),
        ("a\nb", "(?s)a.b", true),
        ("end", "\\Aend\\z", true),
        ("end", "end\\Z", true),
    ]);
}

#[test]
fn what_backtracking_engines_add() {
    check(&[
        ("price: 12", "(?<=price: )\\d+", true),
        ("price 12", "(?<=price: )\\d+", false),
        ("xb", "(?<!a)b", true),
        ("ab", "(?<!a)b", false),
        ("aab", "(?<=a+)b", true),
        ("foobar", "foo(?=bar)", true),
        ("foobaz", "foo(?!bar)", true),
        ("abab", "(ab)\\1", true),
        ("abba", "(ab)\\1", false),
        ("xyxy", "(?<w>xy)\\k<w>", true),
        ("xyxy", "(?P<w>xy)(?P=w)", true),
        ("aaab", "(?>a+)ab", false),
        ("aaa", "a++", true),
        ("ab", "(a)?(?(1)b|c)", true),
        ("ab", "a\\Kb", true),
    ]);
}

#[test]
fn classes_know_unicode() {
    check(&[
        ("é", "^\\w$", true),
        ("\u{0661}", "^\\d$", true),
        ("\u{00a0}", "^\\s$", true),
        ("ñandú x", "ñandú\\b", true),
        ("É", "(?i)é", true),
        ("中", "^\\p{Han}$", true),
        ("x", "^\\p{L}$", true),
        ("😀", "^.$", true),
        ("a", "[[:alpha:]]", true),
        ("b", "^[a-z&&[^b]]$", false),
        ("c", "^[a-z&&[^b]]$", true),
        ("A", "\\x41", true),
        ("A", "\\u{41}", true),
        ("ab", "(?x) a b # spaces do not count", true),
        ("aa", "^a{,2}$", true),
    ]);
}

#[test]
fn an_invalid_pattern_matches_nothing() {
    for pattern in [
        "[",
        "(a",
        "a)",
        "*a",
        "+",
        "a**",
        "a{2}{1}",
        "[z-a]",
        "\\Qa\\E",
        "\\101",
        "a\\h",
        "\\R",
        "(?<n>a",
        "\\p{Nope}",
    ] {
        check(&[("a", pattern, false), ("", pattern, false), (pattern, pattern, false)]);
    }
}

#[test]
fn long_values_and_runaway_patterns() {
    let long = "a".repeat(20_000);
    check(&[(&long, "^a+$", true), (&long, "b", false)]);
    // Backtracking without end stops at a limit, and then nothing has matched.
    check(&[(&"a".repeat(60), "^(?:(a+)+)\\1b$", false)]);
}
