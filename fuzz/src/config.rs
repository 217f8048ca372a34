//! The text of a configuration: read, complained about, and where it is sound, asked for what a daemon asks it for.

use std::path::Path;

use rosterd::clock::Timestamp;
use rosterd::config::{Config, load_str};

/// See the module's page.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if !includes_elsewhere(&text) {
        match load_str(Path::new("/nonexistent/rosterd.toml"), &text) {
            Ok(config) => ask(&config),
            Err(problems) => {
                assert_ne!(problems.iter().count(), 0);
                assert!(!problems.render(false).is_empty() && !problems.render(true).is_empty());
                for problem in &problems {
                    let lines = text.split('\n').count();
                    assert!(problem.line().is_none_or(|line| line <= lines.max(1)), "{}", problems.render(false));
                }
            }
        }
    }
}

/// What a configuration includes is the operator's; here it would be anything of this machine's.
fn includes_elsewhere(text: &str) -> bool {
    let Ok(table) = text.parse::<toml::Table>() else { return false };
    let patterns = table.get("include").and_then(toml::Value::as_array);
    let is_elsewhere = |pattern: &toml::Value| {
        pattern.as_str().is_some_and(|pattern| pattern.starts_with('/') || pattern.contains(".."))
    };
    patterns.into_iter().flatten().any(is_elsewhere)
}

fn ask(config: &Config) {
    let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    for subscription in config.subscriptions.values() {
        let mut moment = now;
        for _ in 0..3 {
            let Some(next) = subscription.schedule.next_after(moment) else { break };
            assert!(next > moment, "a schedule goes on");
            moment = next;
        }
        assert!(!subscription.scope(&config.sources).is_empty() && !subscription.remote().is_empty());
        let policy = &subscription.policy;
        policy.exclude.matching("jane@contoso.com");
        policy.protect.matching("jane@contoso.com");
        assert!(policy.guard.max_removals_per_day.of(0) <= policy.guard.max_removals_per_day.of(1_000_000));
    }
    for source in config.sources.values() {
        assert!(!source.scope().is_empty());
        assert!(config.subscriptions_of(&source.name).len() <= config.subscriptions.len());
    }
}
