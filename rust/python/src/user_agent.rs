//! What conditions see in a user agent.

use pyo3::prelude::*;
use statsig_engine::{UserAgent, UserAgentPart};

#[pyfunction]
#[pyo3(signature = (user_agent, /))]
pub(crate) fn parse_user_agent(user_agent: &str) -> Option<(String, String, String, String)> {
    let parsed = UserAgent::parse(user_agent)?;
    let part = |part| parsed.part(part).to_owned();
    Some((
        part(UserAgentPart::OsName),
        part(UserAgentPart::OsVersion),
        part(UserAgentPart::BrowserName),
        part(UserAgentPart::BrowserVersion),
    ))
}
