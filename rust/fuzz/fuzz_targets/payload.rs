//! Any bytes as a payload: every spec that is left is evaluated for two users.
#![no_main]

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use statsig_engine::{CheckKind, Compiled, Input, PackedUser, SpecKind, compile, evaluate};
use std::sync::LazyLock;
use support::{NOW, Project, user};

static USERS: LazyLock<[PackedUser; 2]> = LazyLock::new(|| [PackedUser::default(), user(&somebody())]);

fn somebody() -> Value {
    json!({
        "userID": "user-123", "email": "a@example.com", "ip": "1.2.3.4", "country": "NZ", "locale": "en", "appVersion": "1.2.3",
        "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 Version/16.5 Mobile/15E148 Safari/604.1",
        "customIDs": {"stableID": "s", "companyID": 5}, "privateAttributes": {"f": "2023-05-17T00:00:00Z"},
        "custom": {"a": ["a", 1, null, {"b": 1.5}], "b": {"c": "d"}, "n": 12.5, "t": true, "z": null, "v": "1.10"},
        "statsigEnvironment": {"tier": "dev"},
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(Compiled::Ruleset(ruleset)) = compile(bytes) else { return };
    let project = Project(ruleset);
    for spec in project.0.specs() {
        let kinds = match spec.kind() {
            SpecKind::Gate => &[CheckKind::Gate][..],
            SpecKind::Config => &[CheckKind::Config, CheckKind::Experiment],
            SpecKind::Layer => &[CheckKind::Layer],
        };
        for user in USERS.iter() {
            let input = Input { tier: Some("dev"), now: NOW, ..Input::new(user.view(), USERS[1].view()) };
            for kind in kinds {
                project.outcome(&evaluate(&project.0, *kind, project.0.string(spec.name()), &input));
            }
        }
    }
});
