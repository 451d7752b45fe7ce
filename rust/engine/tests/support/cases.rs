//! Projects and users grown from bytes: every choice takes one, and zeros (also those after the end) are the plain choice.
//! So a test runner can shrink them and a fuzzer can change them.
use crate::naive::World;
use serde_json::{Map, Value, json};

struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// The next `size` bytes on their own, so that a change in one part of a case leaves the others as they are.
    fn part(&mut self, size: usize) -> Choices<'a> {
        let (part, rest) = self.0.split_at(size.min(self.0.len()));
        self.0 = rest;
        Choices(part)
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) * limit / 256
    }

    fn pick<'b, T: ?Sized>(&mut self, from: &[&'b T]) -> &'b T {
        from[self.below(from.len())]
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) + 1 == times && times > 1
    }

    fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    fn list(&mut self, limit: usize, mut item: impl FnMut(&mut Self) -> Value) -> Value {
        (0..self.below(limit + 1)).map(|_| item(self)).collect()
    }
}

/// What attributes and targets of one case are about, so that they meet.
const FAMILIES: [&[&str]; 5] = [
    &[
        "a", "A", "b", "", "ab", "é", "É", "ß", "SS", "\u{130}", "i\u{307}", "ΣΑΣ", "σας", "true", "null",
        "[1]", "NZ", "\u{212a}", "k",
    ],
    &[
        "1",
        "2",
        "0",
        "-1",
        "1.0",
        "1.5",
        "10",
        "01",
        "+1",
        "1e3",
        "1000",
        "inf",
        "NaN",
        "-inf",
        "-0",
        "0x1",
        " 1",
        "9007199254740993",
        "1e21",
        ".5",
        "5.",
    ],
    &[
        "1.2",
        "1.10",
        "1.2.0",
        "1",
        "1.2-x",
        "1..2",
        "1.2.x",
        "v1",
        " 1.2",
        "1.2.",
        "1.2.3.4",
        "0",
        "-1",
        "1.2+b",
        "99999999999999999999",
        "170141183460469231731687303715884105728",
        "\u{2003}1",
    ],
    &[
        "2023-05-17T12:00:00Z",
        "2023-05-17 12:00:00",
        "2023-5-17 0:0:0",
        "1684324800",
        "1684324800000",
        "2023-05-17",
        "2023-05-17T12:00:00.5Z",
        "2023-05-17T12:00:60+05:30",
        "2023-05-17t12:00:00\u{2212}23:59",
        "+2023-05-17 12:00:60",
        "2024-02-29T00:00:00z",
        "2023-02-29T00:00:00z",
        "\u{3000}2023-05-1712:00:00",
        "-262143-1-1 0:0:0",
        "+262142-12-31 23:59:59",
        "262143-1-1 0:0:0",
        "9999999999",
        "-9999999999",
        "0",
    ],
    &[
        "^a", "b$", "(?i)A", "a|b", "(a)\\1", "(?<=a)b", "[", "\\d+", "^$", "", "é", "(?:a*)*b", "\\bA\\b",
        "aab", "a\nb",
    ],
];

const OPERATORS: [&[&str]; 5] = [
    &[
        "any",
        "none",
        "any_case_sensitive",
        "none_case_sensitive",
        "str_starts_with_any",
        "str_ends_with_any",
        "str_contains_any",
        "str_contains_none",
        "eq",
        "neq",
        "array_contains_any",
        "array_contains_none",
        "array_contains_all",
        "not_array_contains_all",
    ],
    &["gt", "gte", "lt", "lte", "eq", "neq", "any", "none"],
    &["version_gt", "version_gte", "version_lt", "version_lte", "version_eq", "version_neq"],
    &["before", "after", "on"],
    &["str_matches"],
];

const FIELDS: [&str; 14] = [
    "f",
    "F",
    "h",
    "userID",
    "email",
    "USER_ID",
    "user_id",
    "appversion",
    "app_version",
    "country",
    "userAgent",
    "é",
    "custom",
    "",
];
const ID_TYPES: [&str; 6] = ["userID", "USERid", "stableID", "companyID", "COMPANYID", ""];
const GATES: [&str; 8] = ["g0", "g1", "g2", "g3", "segment:s", "Segment:t", "", "missing"];
const CONFIGS: [&str; 6] = ["e0", "e1", "e2", "e3", "", "missing"];
const LAYERS: [&str; 2] = ["l0", "l1"];
const CONDITIONS: usize = 12;

fn scalar(choices: &mut Choices<'_>, family: usize) -> Value {
    match choices.below(16) {
        0..=8 => json!(choices.pick(FAMILIES[family])),
        9 => json!(i64::from(choices.byte()) - 3),
        10 => json!(f64::from(choices.byte()) / 4.0),
        11 => json!(choices.once_in(2)),
        12 => Value::Null,
        13 => match choices.below(4) {
            0 => json!(choices.number() >> 1),
            1 => json!(choices.number().cast_signed()),
            2 => json!(1_684_281_600_000_i64 + i64::from(choices.byte()) * 1_000_000),
            _ => json!(2_f64.powi(i32::from(choices.byte()) - 64)),
        },
        14 => {
            let float = f64::from_bits(choices.number());
            if float.is_finite() { json!(float) } else { json!(-9_223_372_036_854_775_808.0) }
        }
        _ => json!(choices.pick(FAMILIES[choices.0.first().map_or(0, |byte| usize::from(*byte) % 5)])),
    }
}

fn tree(choices: &mut Choices<'_>, family: usize, depth: usize) -> Value {
    match choices.below(8) {
        6 if depth > 0 => choices.list(4, |choices| tree(choices, family, depth - 1)),
        7 if depth > 0 => {
            let members = choices.below(4);
            (0..members)
                .map(|_| (choices.pick(FAMILIES[0]).to_owned(), tree(choices, family, depth - 1)))
                .collect::<Map<_, _>>()
                .into()
        }
        _ => scalar(choices, family),
    }
}

fn target(choices: &mut Choices<'_>, operator: &str, family: usize) -> Value {
    let lists = operator.starts_with("array")
        || operator.starts_with("str_") && operator != "str_matches"
        || operator.starts_with("any")
        || operator.starts_with("none")
        || operator.starts_with("not_array");
    match choices.below(8) {
        _ if ["eq", "neq"].contains(&operator) => scalar(choices, family),
        0..=4 if lists => choices.list(6, |choices| scalar(choices, family)),
        5 if lists => choices.list(40, |choices| scalar(choices, family)),
        0..=5 => scalar(choices, family),
        _ => tree(choices, family, 2),
    }
}

fn condition(choices: &mut Choices<'_>, mixed: bool, only: usize) -> Value {
    let family = if mixed { choices.below(5) } else { only };
    let mut condition = json!({"type": "public", "idType": choices.pick(&ID_TYPES)});
    match choices.below(16) {
        0 => return condition,
        1..=7 => condition["type"] = json!("user_field"),
        8 | 9 => {
            condition["type"] = json!(choices.pick(&["pass_gate", "fail_gate"]));
            condition["targetValue"] = json!(choices.pick(&GATES));
            if choices.once_in(32) {
                condition["targetValue"] = tree(choices, family, 1);
            }
            return condition;
        }
        10 => {
            condition["type"] = json!("user_bucket");
            condition["operator"] = json!(choices.pick(&["lt", "gte", "any", "none", "eq", "on"]));
            condition["targetValue"] = json!(choices.below(1000));
            if choices.once_in(3) {
                let list = choices.list(30, |choices| json!(choices.number() % 1000));
                let keys = |value: &Value| {
                    value
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|item| (item.to_string(), json!(true)))
                        .collect::<Map<_, _>>()
                };
                condition["operator"] = json!(choices.pick(&["any", "none"]));
                condition["targetValue"] = if choices.once_in(2) { keys(&list).into() } else { list };
            }
            if choices.once_in(2) {
                condition["additionalValues"] = json!({"salt": choices.pick(FAMILIES[0])});
            }
            return condition;
        }
        11 => condition["type"] = json!("unit_id"),
        12 | 13 => condition["type"] = json!(choices.pick(&["current_time", "target_app"])),
        _ => {
            condition["type"] =
                json!(choices.pick(&["user_field", "phase_of_the_moon", "User_Field", "ALWAYS", ""]));
        }
    }
    let operator = choices.pick(OPERATORS[family]);
    condition["operator"] = json!(operator);
    condition["targetValue"] = target(choices, operator, family);
    condition["field"] = json!(choices.pick(&FIELDS));
    match choices.below(32) {
        29 => condition["operator"] = json!(choices.pick(&["ANY", "", "like", "encoded_any"])),
        30 => condition["operator"] = Value::Null,
        31 => condition["field"] = Value::Null,
        _ => {}
    }
    condition
}

fn returned(choices: &mut Choices<'_>, gate: bool) -> Value {
    if gate != choices.once_in(8) {
        return json!(!choices.once_in(3));
    }
    match choices.below(8) {
        0..=5 => {
            let keys = choices.below(4);
            (0..keys)
                .map(|_| (choices.pick(&["a", "b", "c", "é"]).to_owned(), tree(choices, 0, 2)))
                .collect::<Map<_, _>>()
                .into()
        }
        _ => tree(choices, 0, 2),
    }
}

fn rule(choices: &mut Choices<'_>, gate: bool) -> Value {
    let mut rule = json!({
        "name": "", "id": choices.pick(&["r1", "r2", "r3", "r4", "default", ""]), "idType": choices.pick(&ID_TYPES),
        "passPercentage": 100, "returnValue": true,
    });
    rule["conditions"] = choices.list(4, |choices| json!(format!("c{}", choices.below(CONDITIONS))));
    rule["returnValue"] = returned(choices, gate);
    if choices.once_in(3) {
        rule["passPercentage"] = match choices.below(4) {
            0 => json!(choices.below(101)),
            1 => json!(f64::from(choices.byte()) / 2.55),
            2 => json!(0),
            _ => json!(
                choices
                    .pick(&["-5", "1e3", "99.99", "0.0", "100.0", "5e-324"])
                    .parse::<f64>()
                    .unwrap_or_default()
            ),
        };
    }
    if choices.once_in(2) {
        rule["salt"] = if choices.once_in(8) {
            Value::Null
        } else {
            json!(choices.pick(&["s", "", "a longer salt, so that the text takes more than one block"]))
        };
    }
    if choices.once_in(2) {
        rule["groupName"] = json!(choices.pick(&["A", "B", ""]));
    }
    rule["isExperimentGroup"] = [Value::Null, json!(true), json!(false)][choices.below(3)].clone();
    if choices.once_in(if gate { 12 } else { 3 }) {
        rule["configDelegate"] = json!(choices.pick(&CONFIGS));
    }
    rule
}

fn spec(choices: &mut Choices<'_>, entity: &str) -> Value {
    let gate = entity == "feature_gate";
    let mut spec = json!({
        "type": entity, "entity": entity, "salt": choices.pick(&["spec", "", "é"]), "enabled": !choices.once_in(6), "idType": choices.pick(&ID_TYPES),
    });
    spec["rules"] = choices.list(4, |choices| rule(choices, gate));
    spec["defaultValue"] = if choices.once_in(2) {
        returned(choices, gate)
    } else if gate {
        json!(false)
    } else {
        json!({"a": 0})
    };
    for (key, values) in [
        ("isActive", [json!(true), json!(false)]),
        ("version", [json!(1), json!(4_294_967_295_u32)]),
        ("explicitParameters", [json!(["a"]), json!([])]),
    ] {
        match choices.below(8) {
            0..=4 => {}
            5 => spec[key] = values[0].clone(),
            6 => spec[key] = values[1].clone(),
            _ => spec[key] = Value::Null,
        }
    }
    spec
}

/// Gates `n0`, `n1`, … that each ask for the next; the last asks for a condition, or for any gate.
fn ladder(choices: &mut Choices<'_>, payload: &mut Value) {
    let (delegates, length) = (choices.once_in(2), [1, 2, 62, 63, 64, 65, 299, 300, 301][choices.below(9)]);
    for level in 0..=length {
        let last = level == length;
        let mut rule = json!({"name": "", "id": "n", "idType": "userID", "passPercentage": 100, "returnValue": true, "conditions": []});
        let mut spec = json!({"type": "", "entity": "", "salt": "", "enabled": true, "idType": "userID", "defaultValue": false});
        let next = if last {
            json!(choices.pick(if delegates { &CONFIGS[..] } else { &GATES[..] }))
        } else {
            json!(format!("n{}", level + 1))
        };
        if delegates {
            rule["configDelegate"] = next;
        } else {
            payload["condition_map"][format!("n{level}")] =
                json!({"type": "pass_gate", "idType": "", "targetValue": next});
            rule["conditions"] = json!([format!("n{level}")]);
        }
        spec["rules"] = json!([rule]);
        payload[if delegates { "dynamic_configs" } else { "feature_gates" }][format!("n{level}")] = spec;
    }
    let from = format!("c{}", choices.below(CONDITIONS));
    if !delegates {
        let kind = choices.pick(&["pass_gate", "fail_gate"]);
        payload["condition_map"][from] = json!({"type": kind, "idType": "", "targetValue": "n0"});
    }
}

fn attributes(choices: &mut Choices<'_>, keys: &[&str], family: usize) -> Value {
    let members = choices.below(5);
    (0..members)
        .map(|_| (choices.pick(keys).to_owned(), tree(choices, family, 3)))
        .collect::<Map<_, _>>()
        .into()
}

/// A project and a user.
pub(crate) fn case(bytes: &[u8]) -> World {
    let all = &mut Choices(bytes);
    let choices = &mut all.part(160);
    let (mixed, family) = (choices.once_in(2), choices.below(5));
    let mut user = json!({"userID": choices.pick(&["u", "user-123", "", "ユーザー"])});
    user["custom"] = attributes(choices, &FIELDS, family);
    user["customIDs"] =
        attributes(choices, &["stableID", "stableid", "companyID", "companyid", "", "userID"], family);
    user["privateAttributes"] = attributes(choices, &FIELDS, family);
    for field in ["email", "country", "appVersion", "userAgent", "locale", "ip"] {
        if choices.once_in(4) {
            user[field] = json!(choices.pick(FAMILIES[family]));
        }
    }
    if choices.once_in(8) {
        user.as_object_mut().map(|members| members.remove("userID"));
    }
    let mut global = if choices.once_in(4) { attributes(choices, &FIELDS, family) } else { json!({}) };

    let mut payload = json!({
        "has_updates": true, "time": 1, "experiment_to_layer": {}, "condition_map": {}, "feature_gates": {}, "dynamic_configs": {}, "layer_configs": {},
    });
    let with_ladder = choices.once_in(8);
    if choices.once_in(2) {
        payload["app_id"] = tree(choices, family, 1);
    }
    for (list, names, entity) in [
        ("feature_gates", &GATES[..7], "feature_gate"),
        ("dynamic_configs", &CONFIGS[..5], "experiment"),
        ("layer_configs", &LAYERS[..], "layer"),
    ] {
        for name in names {
            let part = &mut all.part(96);
            if part.below(12) > 0 {
                payload[list][*name] = spec(part, entity);
            }
        }
    }
    for key in 0..CONDITIONS {
        let part = &mut all.part(48);
        if !part.once_in(24) {
            payload["condition_map"][format!("c{key}")] = condition(part, mixed, family);
        }
    }
    if with_ladder {
        ladder(all, &mut payload);
    }
    // So is JSON that is compared as text.
    [&mut payload, &mut user, &mut global].into_iter().for_each(Value::sort_all_objects);
    World { payload, user, global, now: 1_684_324_800_000 }
}
