//! A second opinion: specs evaluated straight from the JSON, as plainly as the rules can be written down. It is slow and
//! knows nothing of the engine. What it does not know must not be in a payload: the older format, layers that merge,
//! experiment groups, environments, config mapping, bandits, user agents, IP addresses, ID lists, `eq` of lists and objects.
use fancy_regex::Regex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{cmp::Ordering, collections::HashMap, sync::LazyLock};

use crate::spelling::json as spelled;

/// What an evaluation depends on. `global` is the map of global attributes.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) payload: Value,
    pub(crate) user: Value,
    pub(crate) global: Value,
    pub(crate) now: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) pass: bool,
    pub(crate) value: Option<Value>,
    pub(crate) rule: String,
    pub(crate) group: Option<String>,
    pub(crate) id_type: Option<String>,
    pub(crate) delegate: Option<String>,
    pub(crate) is_group: bool,
    pub(crate) active: bool,
    pub(crate) unsupported: bool,
    /// Gate, value, rule.
    pub(crate) exposures: Vec<(String, bool, String)>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    TooDeep,
    /// More work than a test should do.
    TooMuch,
}

/// `list` is where in the payload to look. None: there is no such spec.
pub(crate) fn check(world: &World, list: &str, name: &str) -> Result<Option<Answer>, Stop> {
    let mut run = Run { world, memo: HashMap::new(), gates: 0, levels: 0, fuel: 5_000 };
    let mut answer = Answer::default();
    Ok(run.evaluate(list, name, &mut answer)?.then_some(answer))
}

struct Run<'a> {
    world: &'a World,
    memo: HashMap<String, Answer>,
    gates: u32,
    levels: u32,
    fuel: usize,
}

impl<'a> Run<'a> {
    fn spend(&mut self, amount: usize) -> Result<(), Stop> {
        self.fuel = self.fuel.checked_sub(amount).ok_or(Stop::TooMuch)?;
        Ok(())
    }

    /// False where there is no such spec. A delegate's answer goes on where that of its rule ends.
    fn evaluate(&mut self, list: &str, name: &str, answer: &mut Answer) -> Result<bool, Stop> {
        self.spend(1)?;
        let Some(spec) = self.world.payload[list].get(name) else { return Ok(false) };
        answer.id_type.get_or_insert(text_of(&spec["idType"]));
        answer.active = spec["isActive"].as_bool().unwrap_or(answer.active);
        self.rules(spec, answer)?;
        Ok(true)
    }

    fn rules(&mut self, spec: &'a Value, answer: &mut Answer) -> Result<(), Stop> {
        let default = &spec["defaultValue"];
        for rule in spec["rules"].as_array().into_iter().flatten() {
            self.conditions(rule, answer)?;
            if answer.unsupported {
                return Ok(());
            }
            if !answer.pass {
                continue;
            }
            if let Some(name) = rule["configDelegate"].as_str()
                && self.world.payload["dynamic_configs"].get(name).is_some()
            {
                self.levels += 1;
                if self.levels > 300 {
                    return Err(Stop::TooDeep);
                }
                (answer.pass, answer.value) = (false, None);
                self.evaluate("dynamic_configs", name, answer)?;
                self.levels -= 1;
                answer.delegate = Some(name.to_owned());
                return Ok(());
            }
            if self.rolled_out(&text_of(&spec["salt"]), rule) {
                conclude(answer, &rule["returnValue"], rule["returnValue"] != false, &text_of(&rule["id"]));
            } else {
                conclude(answer, default, *default == true, &text_of(&rule["id"]));
            }
            answer.group = rule["groupName"].as_str().map(str::to_owned);
            answer.is_group = rule["isExperimentGroup"] == true;
            answer.active = spec["isActive"] == true;
            return Ok(());
        }
        let rule = if spec["enabled"] == true { "default" } else { "disabled" };
        conclude(answer, default, *default == true, rule);
        Ok(())
    }

    /// Leaves in `pass` whether all conditions hold. All are looked at, because each may expose gates.
    fn conditions(&mut self, rule: &'a Value, answer: &mut Answer) -> Result<(), Stop> {
        let mut all = true;
        for key in rule["conditions"].as_array().into_iter().flatten() {
            let Some(condition) = self.world.payload["condition_map"].get(text_of(key)) else {
                answer.unsupported = true;
                return Ok(());
            };
            match self.condition(condition, answer)? {
                Some(holds) => answer.pass = holds,
                None => answer.unsupported = true,
            }
            all &= answer.pass;
        }
        answer.pass = all;
        Ok(())
    }

    /// None: not supported.
    fn condition(&mut self, condition: &'a Value, answer: &mut Answer) -> Result<Option<bool>, Stop> {
        let (operator, id_type) = (text_of(&condition["operator"]), text_of(&condition["idType"]));
        let (target, field) = (&condition["targetValue"], condition["field"].as_str());
        let value = match text_of(&condition["type"]).as_str() {
            "public" => return Ok(Some(true)),
            "pass_gate" => return self.nested(&text_of(target), answer),
            "fail_gate" => return Ok(self.nested(&text_of(target), answer)?.map(|holds| !holds)),
            "user_field" => field.map_or(Value::Null, |field| self.attribute(field)),
            "unit_id" => self.unit(&id_type),
            "user_bucket" => {
                let salt = text_of(&condition["additionalValues"]["salt"]);
                json!(hash(&format!("{salt}.{}", self.unit_text(&id_type))) % 1000)
            }
            "current_time" if ["before", "after", "on"].contains(&operator.as_str()) => json!(self.world.now),
            "current_time" => Value::Null,
            "target_app" => self.world.payload["app_id"].clone(),
            _ => return Ok(None),
        };
        Ok(operator_holds(&operator, &value, target))
    }

    fn nested(&mut self, name: &str, answer: &mut Answer) -> Result<Option<bool>, Stop> {
        (self.gates, self.levels) = (self.gates + 1, self.levels + 1);
        if self.gates > 64 {
            return Err(Stop::TooDeep);
        }
        let nested = if let Some(known) = self.memo.get(name) {
            known.clone()
        } else {
            let mut fresh = Answer::default();
            self.evaluate("feature_gates", name, &mut fresh)?;
            if !fresh.unsupported && !name.is_empty() {
                self.memo.insert(name.to_owned(), fresh.clone());
            }
            fresh
        };
        (self.gates, self.levels) = (self.gates - 1, self.levels - 1);
        self.spend(nested.exposures.len())?;
        answer.exposures.extend(nested.exposures);
        if nested.unsupported {
            answer.unsupported = true;
            return Ok(None);
        }
        if !name.starts_with("segment:") && !nested.rule.is_empty() {
            answer.exposures.push((name.to_owned(), nested.pass, nested.rule.clone()));
        }
        answer.rule = nested.rule;
        Ok(Some(nested.pass))
    }

    fn rolled_out(&self, salt: &str, rule: &Value) -> bool {
        let percentage = rule["passPercentage"].as_f64().unwrap_or(f64::NAN);
        if percentage <= 0.0 || percentage >= 100.0 {
            return percentage > 0.0;
        }
        let rule_salt = rule["salt"].as_str().or(rule["id"].as_str()).unwrap_or_default();
        let unit = self.unit_text(&text_of(&rule["idType"]));
        ((hash(&format!("{salt}.{rule_salt}.{unit}")) % 10_000) as f64) < percentage * 100.0
    }

    fn unit(&self, id_type: &str) -> Value {
        if id_type.eq_ignore_ascii_case("userid") {
            return self.world.user["userID"].clone();
        }
        let ids = &self.world.user["customIDs"];
        ids.get(id_type).or(ids.get(id_type.to_lowercase())).cloned().unwrap_or_default()
    }

    fn unit_text(&self, id_type: &str) -> String {
        text(&self.unit(id_type)).unwrap_or_default()
    }

    fn attribute(&self, field: &str) -> Value {
        let World { user, global, .. } = self.world;
        let lower = field.to_lowercase();
        let plain = ["userID", "email", "ip", "country", "locale", "appVersion", "userAgent"];
        let filled = plain.iter().find(|name| name.to_lowercase() == lower).map(|name| &user[*name]);
        if let Some(text) = filled.filter(|text| text.as_str().is_some_and(|text| !text.is_empty())) {
            return text.clone();
        }
        for map in [&user["custom"], global, &user["privateAttributes"]] {
            if let Some(value) = map.get(field).or(map.get(&lower)) {
                return value.clone();
            }
        }
        match lower.as_str() {
            "user_id" => user["userID"].clone(),
            "app_version" => user["appVersion"].clone(),
            "user_agent" => user["userAgent"].clone(),
            _ => Value::Null,
        }
    }
}

/// What a return or default value leaves: the bool is the caller's.
fn conclude(answer: &mut Answer, json: &Value, pass: bool, rule: &str) {
    answer.pass = pass;
    answer.value = Some(json.clone()).filter(|value| !value.is_boolean() && !value.is_null());
    rule.clone_into(&mut answer.rule);
}

fn hash(text: &str) -> u64 {
    Sha256::digest(text.as_bytes()).iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// Text that is there in a payload, or the empty one.
fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// None: not supported. Of an absent attribute the value is null.
fn operator_holds(operator: &str, value: &Value, target: &Value) -> Option<bool> {
    let (text, target_text) = (text(value), target.as_str());
    let exact = text.clone().unwrap_or_default();
    let small = exact.to_lowercase();
    let elements = elements(target);
    let some = |test: &dyn Fn(&str) -> bool| elements.iter().flatten().any(|element| test(element));
    let some_small = |test: &dyn Fn(&str) -> bool| some(&|element| test(&element.to_lowercase()));
    let listed = || match target {
        Value::Object(members) => members.contains_key(&small),
        _ => some_small(&|element| element == small),
    };
    let numbers = || number(value)?.partial_cmp(&number(target)?);
    let versions = || compare_versions(text.as_deref()?, target_text?);
    let times = || Some((user_time(value)?, target_time(target)?));
    let items = value.as_array().map(|items| items.iter().filter_map(self::text).collect::<Vec<_>>());
    let both = items.as_ref().zip(elements.as_ref());
    let shared = |(items, elements): (&Vec<String>, &Vec<String>)| {
        elements.iter().filter(|element| items.contains(element)).count()
    };
    Some(match operator {
        "any" => listed(),
        "none" => !listed(),
        "any_case_sensitive" => some(&|element| element == exact),
        "none_case_sensitive" => !some(&|element| element == exact),
        "str_starts_with_any" => some_small(&|element| small.starts_with(element)),
        "str_ends_with_any" => some_small(&|element| small.ends_with(element)),
        "str_contains_any" => some_small(&|element| small.contains(element)),
        "str_contains_none" => !some_small(&|element| small.contains(element)),
        "str_matches" => text.zip(target_text).is_some_and(|(text, pattern)| {
            Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&text).unwrap_or(false))
        }),
        "gt" | "gte" | "lt" | "lte" => fits(operator, numbers()),
        "version_gt" | "version_gte" | "version_lt" | "version_lte" | "version_eq" | "version_neq" => {
            fits(&operator[8..], versions())
        }
        "before" => times().is_some_and(|(value, target)| value < target),
        "after" => times().is_some_and(|(value, target)| value > target),
        "on" => times().is_some_and(|(value, target)| value / 86_400_000 == target / 86_400_000),
        "eq" => equal(value, target),
        "neq" => !equal(value, target),
        "array_contains_any" => both.is_some_and(|both| shared(both) > 0),
        "array_contains_none" => both.is_some_and(|both| shared(both) == 0),
        "array_contains_all" => both.is_some_and(|both| shared(both) == both.1.len()),
        "not_array_contains_all" => both.is_some_and(|both| shared(both) < both.1.len()),
        _ => return None,
    })
}

fn fits(operator: &str, order: Option<Ordering>) -> bool {
    order.is_some_and(|order| match operator {
        "gt" => order.is_gt(),
        "gte" => order.is_ge(),
        "lt" => order.is_lt(),
        "lte" => order.is_le(),
        "eq" => order.is_eq(),
        _ => order.is_ne(),
    })
}

/// The text of a user's value.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Object(_) => None,
        Value::Number(number) => Some(number.as_f64()?.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Array(_) => Some(spelled(value)),
    }
}

/// The elements of a list target: of those that differ only by case the last stays.
fn elements(target: &Value) -> Option<Vec<String>> {
    let mut kept: Vec<String> = Vec::new();
    for element in target.as_array()? {
        let text = element.as_str().map_or_else(|| spelled(element), str::to_owned);
        kept.retain(|other| other.to_lowercase() != text.to_lowercase());
        kept.push(text);
    }
    Some(kept)
}

/// The number of a user's value or of a target.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn equal(value: &Value, target: &Value) -> bool {
    match target {
        Value::Null | Value::Bool(_) => value == target,
        Value::Number(_) => number(value).is_some_and(|value| Some(value) == number(target)),
        Value::String(target) => text(value).as_ref() == Some(target),
        _ => unreachable!("no such target is generated"),
    }
}

/// None where a part that has to be looked at is no number.
fn compare_versions(left: &str, right: &str) -> Option<Ordering> {
    let parts = |text: &str| -> Vec<Option<i128>> {
        let core = text.split('-').next().unwrap_or_default();
        core.split('.').map(|part| part.trim().parse().ok()).collect()
    };
    let (left, right) = (parts(left), parts(right));
    let part = |parts: &[Option<i128>], place: usize| parts.get(place).copied().unwrap_or(Some(0));
    let order = |place| Some(part(&left, place)?.cmp(&part(&right, place)?));
    let places = 0..left.len().max(right.len());
    places.map(order).find(|order| *order != Some(Ordering::Equal)).unwrap_or(Some(Ordering::Equal))
}

/// Small numbers are seconds.
fn user_time(value: &Value) -> Option<i64> {
    let whole = |float: &f64| float.fract() == 0.0 && float.abs() <= 2_f64.powi(63);
    let time = if let Value::String(text) = value {
        text.parse().ok().or_else(|| date(text).filter(|_| (8..=20).contains(&text.len())))?
    } else {
        value.as_i64().or_else(|| value.as_f64().filter(whole).map(|float| float as i64))?
    };
    Some(if time.unsigned_abs() < 10_000_000_000 { time * 1000 } else { time })
}

fn target_time(target: &Value) -> Option<i64> {
    let whole = target.as_i64().or_else(|| target.as_str()?.parse().ok());
    whole.or_else(|| date(target.as_str()?)).or_else(|| Some(number(target)? as i64))
}

/// RFC 3339; or year, month, day, hour, minute, second in UTC, with white space before any number.
static DATES: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    let strict = r"^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([-+\x{2212}])([01][0-9]|2[0-3]):([0-5][0-9]))$";
    let two = r"\s*((?>[0-9]{1,2}))";
    let lenient = format!(r"^\s*((?>[-+][0-9]+|[0-9]{{1,4}}))-{two}-{two}{two}:{two}:{two}$");
    [strict, &lenient].map(|pattern| Regex::new(pattern).unwrap_or_else(|error| panic!("{error}")))
});

/// Milliseconds since the epoch. A minute may have 61 seconds.
fn date(text: &str) -> Option<i64> {
    let parts = DATES.iter().find_map(|pattern| pattern.captures(text).ok()?)?;
    let part = |place: usize| parts.get(place).map_or("0", |part| part.as_str());
    let [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(|place| part(place).parse::<i64>());
    let (year, month, day, hour, minute, second) =
        (year.ok()?, month.ok()?, day.ok()?, hour.ok()?, minute.ok()?, second.ok()?);
    // Years are counted from March, so that a leap day is their last.
    let first_of = |year: i64, month: i64| {
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5
            - 719_468
    };
    if !(-262_143..=262_142).contains(&year)
        || !(1..=12).contains(&month)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let (first, next) = (first_of(year, month), first_of(year + month / 12, month % 12 + 1));
    let thousandths: i64 = format!("{:0<3}", part(7))[..3].parse().ok()?;
    let zone = (part(9).parse::<i64>().ok()? * 60 + part(10).parse::<i64>().ok()?)
        * if part(8) == "+" { 1 } else { -1 };
    let minutes = ((first + day - 1) * 24 + hour) * 60 + minute - zone;
    (1..=next - first).contains(&day).then_some((minutes * 60 + second) * 1000 + thousandths)
}
