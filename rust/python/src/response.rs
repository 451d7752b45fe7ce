//! The arguments of `get_client_initialize_response`, and what of it is up to chance.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};
use statsig_engine::{NameHash, ResponseOptions, SdkInfo};

use crate::chance::random;
use crate::errors::wrong_type;
use crate::extract::{Place, text};

/// What a caller asked for.
pub(crate) struct Wanted<'a> {
    hash: NameHash,
    client_key: Option<&'a str>,
    pub(crate) overrides: bool,
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(
        hash: Option<&'a Bound<'_, PyAny>>,
        client_key: Option<&'a Bound<'_, PyAny>>,
        include_local_overrides: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let hash = hash.map(|hash| argument("hash", hash)).transpose()?;
        let client_key = client_key.map(|key| argument("client_sdk_key", key)).transpose()?;
        let overrides = match include_local_overrides {
            None => false,
            Some(flag) => match flag.cast::<PyBool>() {
                Ok(flag) => flag.is_true(),
                Err(_) => return Err(wrong_type("include_local_overrides", "bool or None", flag)),
            },
        };
        Ok(Self { hash: hash.map_or_else(NameHash::default, NameHash::named), client_key, overrides })
    }

    pub(crate) fn options(&self, session: &'a str) -> ResponseOptions<'a> {
        ResponseOptions {
            hash: self.hash,
            client_key: self.client_key,
            sdk: SdkInfo { kind: "statsig-fastly-python", version: env!("CARGO_PKG_VERSION"), session },
            random: (random() >> 11) as f64 / (1u64 << 53) as f64,
        }
    }
}

fn argument<'a>(name: &'static str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match value.cast::<PyString>() {
        Ok(value) => text(Place::Argument(name), value),
        Err(_) => Err(wrong_type(name, "str or None", value)),
    }
}

/// A random UUID.
pub(crate) fn new_session() -> String {
    const VERSION: u128 = 4 << 76;
    const VARIANT: u128 = 2 << 62;
    let bits = u128::from(random()) << 64 | u128::from(random());
    let bits = bits & !(0xf << 76 | 3 << 62) | VERSION | VARIANT;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
