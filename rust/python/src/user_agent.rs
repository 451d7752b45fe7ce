//! What conditions see in a user agent.

use pyo3::prelude::*;
use statsig_engine::{UserAgent, UserAgentPart};

use crate::arguments::text_argument;

type Parts = (String, String, String, String);

#[pyfunction]
#[pyo3(signature = (user_agent, /))]
pub(crate) fn parse_user_agent(user_agent: &Bound<'_, PyAny>) -> PyResult<Option<Parts>> {
    let parsed = UserAgent::parse(text_argument("user_agent", user_agent)?);
    Ok(parsed.map(|parsed| {
        let part = |part| parsed.part(part).to_owned();
        (
            part(UserAgentPart::OsName),
            part(UserAgentPart::OsVersion),
            part(UserAgentPart::BrowserName),
            part(UserAgentPart::BrowserVersion),
        )
    }))
}
