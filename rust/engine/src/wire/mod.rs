//! The payload as it is written: both formats, mirrored and nothing else.
//!
//! Text is borrowed from the payload wherever it holds no escapes, and every spec stays unread JSON
//! until it is compiled, so that a fault in one cannot spoil the others.

pub(crate) mod bandit;
pub(crate) mod client;
pub(crate) mod mapping;
pub(crate) mod optional;
pub(crate) mod parameter_store;

use serde::Deserialize as Derive;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::json::{members, write_json};
use crate::ruleset::SpecKind;

/// Text borrowed from the payload unless it holds escapes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// An object as a list of its members, in the order written.
#[derive(Clone, Debug)]
pub(crate) struct Map<'a, V>(pub(crate) Vec<(Text<'a>, V)>);

impl<V> Default for Map<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Map<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for MembersVisitor<V> {
            type Value = Map<'de, V>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Map(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

/// The top level. Everything is raw so that each fault can be reported with the field's name; but `S` is what
/// specs of a kind are read as, and `C` conditions.
#[derive(Derive, Debug)]
#[serde(expecting = "an object", bound(deserialize = "S: Deserialize<'de>, C: Deserialize<'de>"))]
pub(crate) struct Payload<'a, S = &'a RawValue, C = &'a RawValue> {
    #[serde(borrow)]
    pub(crate) has_updates: Option<&'a RawValue>,
    pub(crate) time: Option<&'a RawValue>,
    pub(crate) checksum: Option<&'a RawValue>,
    pub(crate) feature_gates: Option<S>,
    pub(crate) dynamic_configs: Option<S>,
    pub(crate) layer_configs: Option<S>,
    pub(crate) condition_map: Option<C>,
    pub(crate) experiment_to_layer: Option<&'a RawValue>,
    pub(crate) company_id: Option<&'a RawValue>,
    pub(crate) response_format: Option<&'a RawValue>,
    pub(crate) app_id: Option<&'a RawValue>,
    pub(crate) default_environment: Option<&'a RawValue>,
    pub(crate) diagnostics: Option<&'a RawValue>,
    pub(crate) sdk_configs: Option<&'a RawValue>,
    pub(crate) sdk_flags: Option<&'a RawValue>,
    pub(crate) id_lists: Option<&'a RawValue>,
    pub(crate) sdk_keys_to_app_ids: Option<&'a RawValue>,
    pub(crate) hashed_sdk_keys_to_app_ids: Option<&'a RawValue>,
    pub(crate) override_rules: Option<&'a RawValue>,
    pub(crate) overrides: Option<&'a RawValue>,
    pub(crate) param_stores: Option<&'a RawValue>,
    pub(crate) cmab_configs: Option<&'a RawValue>,
    pub(crate) session_replay_info: Option<&'a RawValue>,
    pub(crate) auto_capture_settings: Option<&'a RawValue>,
    pub(crate) gcir_config: Option<&'a RawValue>,
}

/// What a spec is, in either format. `C` is how its rules name their conditions: a key of
/// `condition_map` (v2) or the condition itself (v1).
#[derive(Derive, Debug)]
#[serde(expecting = "a spec (an object)")]
#[serde(rename_all = "camelCase", bound(deserialize = "C: Deserialize<'de>"))]
pub(crate) struct Spec<'a, C> {
    #[serde(borrow, rename = "type")]
    pub(crate) _kind: Text<'a>,
    pub(crate) salt: Text<'a>,
    pub(crate) default_value: ReturnValue<'a>,
    /// Required in v2; absent means false in v1.
    pub(crate) enabled: Option<bool>,
    pub(crate) rules: Vec<Rule<'a, C>>,
    pub(crate) id_type: Text<'a>,
    pub(crate) entity: Text<'a>,
    pub(crate) is_active: Option<bool>,
    pub(crate) has_shared_params: Option<bool>,
    pub(crate) explicit_parameters: Option<Vec<Text<'a>>>,
    pub(crate) version: Option<u32>,
    #[serde(rename = "targetAppIDs")]
    pub(crate) target_app_ids: Option<Vec<Text<'a>>>,
    pub(crate) forward_all_exposures: Option<bool>,
    pub(crate) use_new_layer_eval: Option<bool>,
    #[serde(rename = "fieldsUsed")]
    pub(crate) _fields_used: Option<Vec<Text<'a>>>,
    #[serde(rename = "checksum")]
    pub(crate) _checksum: Option<Text<'a>>,
}

/// A rule of a spec.
#[derive(Derive, Debug)]
#[serde(expecting = "a rule (an object)")]
#[serde(rename_all = "camelCase", bound(deserialize = "C: Deserialize<'de>"))]
pub(crate) struct Rule<'a, C> {
    #[serde(borrow, rename = "name")]
    pub(crate) _name: Text<'a>,
    pub(crate) id: Text<'a>,
    pub(crate) pass_percentage: f64,
    /// Required in v2; absent means none in v1.
    pub(crate) conditions: Option<Vec<C>>,
    pub(crate) return_value: ReturnValue<'a>,
    pub(crate) id_type: Text<'a>,
    pub(crate) salt: Option<Text<'a>>,
    pub(crate) group_name: Option<Text<'a>>,
    pub(crate) config_delegate: Option<Text<'a>>,
    pub(crate) is_experiment_group: Option<bool>,
    pub(crate) sampling_rate: Option<u64>,
}

/// A condition. In v1 it has no checksum and its id type may be absent.
#[derive(Derive, Debug)]
#[serde(expecting = "a condition (an object)")]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
    pub(crate) id_type: Option<Text<'a>>,
    pub(crate) target_value: Option<&'a RawValue>,
    pub(crate) operator: Option<Text<'a>>,
    pub(crate) field: Option<Text<'a>>,
    pub(crate) additional_values: Option<Map<'a, Text<'a>>>,
    #[serde(rename = "checksum")]
    pub(crate) _checksum: Option<Text<'a>>,
}

/// The name inside a v1 spec; in v2 the key of the map is the name.
#[derive(Derive, Debug)]
#[serde(expecting = "a spec (an object)")]
pub(crate) struct Named<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
}

/// A return or default value. An object is read to the last token, so that nothing about it can fail
/// later; of anything else only the kind matters.
#[derive(Debug)]
pub(crate) struct ReturnValue<'a> {
    pub(crate) json: Cow<'a, str>,
    /// Names of an object's members.
    pub(crate) keys: Vec<Text<'a>>,
    /// Why an object cannot be read: an unpaired surrogate, a number beyond every float, too many levels.
    /// It counts as an empty one, as in the reference.
    pub(crate) fault: Option<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for ReturnValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        if !json.starts_with('{') {
            return Ok(Self { json: Cow::Borrowed(json), keys: Vec::new(), fault: None });
        }
        Ok(match members(json) {
            Ok((json, keys)) => Self { json, keys, fault: None },
            Err(fault) => {
                Self { json: Cow::Borrowed("{}"), keys: Vec::new(), fault: Some(fault.to_string()) }
            }
        })
    }
}

/// A target value, decoded one level deep: operands never need more.
#[derive(Debug)]
pub(crate) enum Target<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text<'a>),
    /// Elements as text: strings themselves, anything else as the JSON written.
    Array(Vec<Cow<'a, str>>),
    /// Members in the order written, values as in arrays.
    Object(Vec<(Text<'a>, Cow<'a, str>)>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Target<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TargetVisitor;
        impl<'de> Visitor<'de> for TargetVisitor {
            type Value = Target<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any JSON value")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Target::Null)
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Target::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Target::Number(value as f64))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Target::Number(value as f64))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Target::Number(value))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Target::Text(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Target::Text(Text(Cow::Owned(text.to_owned()))))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element::<Element<'_>>()? {
                    elements.push(element.0);
                }
                Ok(Target::Array(elements))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(Text<'de>, Cow<'de, str>)> = Vec::new();
                while let Some((key, Element(value))) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(Target::Object(members))
            }
        }
        deserializer.deserialize_any(TargetVisitor)
    }
}

/// The text an element is compared by: of a number not the spelling of the payload but its own, so that
/// `1e2` reads `100.0`, as in the reference.
struct Element<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Element<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementVisitor;
        impl<'de> Visitor<'de> for ElementVisitor {
            type Value = Element<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any JSON value")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Element(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Element(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Element::of(&serde_json::Value::Null))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Element::of(&value.into()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Element::of(&value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Element::of(&value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Element::of(&value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                serde_json::Value::deserialize(SeqAccessDeserializer::new(seq))
                    .map(|value| Element::of(&value))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                serde_json::Value::deserialize(MapAccessDeserializer::new(map))
                    .map(|value| Element::of(&value))
            }
        }
        deserializer.deserialize_any(ElementVisitor)
    }
}

impl Element<'_> {
    fn of(value: &serde_json::Value) -> Self {
        let mut text = String::new();
        write_json(&mut text, value);
        Self(Cow::Owned(text))
    }
}

impl ReturnValue<'_> {
    /// True if it is this literal.
    pub(crate) fn is(&self, literal: &str) -> bool {
        self.json == literal
    }
}

impl Condition<'_> {
    /// What v2 insists on and v1 leaves out at times.
    pub(crate) fn check_required(&self) -> Result<(), String> {
        match self.id_type {
            Some(_) => Ok(()),
            None => Err("`idType` is missing or null: expected a string".to_owned()),
        }
    }
}

impl<C> Spec<'_, C> {
    /// What v2 insists on and v1 leaves out at times.
    pub(crate) fn check_required(&self) -> Result<(), String> {
        if self.enabled.is_none() {
            return Err("`enabled` is missing or null: expected a boolean".to_owned());
        }
        match self.rules.iter().position(|rule| rule.conditions.is_none()) {
            Some(index) => Err(format!("`rules[{index}].conditions` is missing or null: expected an array")),
            None => Ok(()),
        }
    }
}

/// A v2 payload of which all specs and conditions are read in one go. One fault is a fault of the whole.
pub(crate) type Faultless<'a> = Payload<'a, Map<'a, Spec<'a, Text<'a>>>, Map<'a, Condition<'a>>>;

impl<'a, S, C> Payload<'a, S, C> {
    /// Takes the three fields that hold specs.
    pub(crate) fn take_specs(&mut self) -> [(SpecKind, &'static str, Option<S>); 3] {
        [
            (SpecKind::Gate, "feature_gates", self.feature_gates.take()),
            (SpecKind::Config, "dynamic_configs", self.dynamic_configs.take()),
            (SpecKind::Layer, "layer_configs", self.layer_configs.take()),
        ]
    }

    /// What holds neither specs nor conditions.
    pub(crate) fn rest(&self) -> Payload<'a> {
        Payload {
            has_updates: self.has_updates,
            time: self.time,
            checksum: self.checksum,
            feature_gates: None,
            dynamic_configs: None,
            layer_configs: None,
            condition_map: None,
            experiment_to_layer: self.experiment_to_layer,
            company_id: self.company_id,
            response_format: self.response_format,
            app_id: self.app_id,
            default_environment: self.default_environment,
            diagnostics: self.diagnostics,
            sdk_configs: self.sdk_configs,
            sdk_flags: self.sdk_flags,
            id_lists: self.id_lists,
            sdk_keys_to_app_ids: self.sdk_keys_to_app_ids,
            hashed_sdk_keys_to_app_ids: self.hashed_sdk_keys_to_app_ids,
            override_rules: self.override_rules,
            overrides: self.overrides,
            param_stores: self.param_stores,
            cmab_configs: self.cmab_configs,
            session_replay_info: self.session_replay_info,
            auto_capture_settings: self.auto_capture_settings,
            gcir_config: self.gcir_config,
        }
    }
}
