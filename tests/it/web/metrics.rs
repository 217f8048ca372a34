//! What is measured, and that what is made of it (a dashboard for Grafana, rules for alerts) measures what there is.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;
use crate::directory::install;

/// What is in `/metrics` once something of everything has happened.
fn metrics() -> String {
    let world = World::new(2);
    world.drop_roster("1.csv", &people(0..3));
    let site = Site::new(world);
    let mut text = String::new();
    let mut shows = |what: &str, samples: &[&str]| {
        until(what, || {
            text = site.get("/metrics").body;
            samples.iter().all(|sample| text.contains(sample))
        });
    };
    let waits = "rosterd_members{subscription=\"contoso\",state=\"pending\"} 1";
    shows("a run has ended", &[waits, "rosterd_pending_oldest_seconds{"]);
    site.world.drop_file("2.csv", "no,address\n1,2\n");
    shows("a source was refused", &["rosterd_source_errors_total{source=\"hr\"} 1"]);
    text
}

/// The names of the families.
fn names(metrics: &str) -> BTreeSet<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

fn promtool(arguments: &[&str], input: &str) -> std::process::Output {
    install::program("promtool");
    let mut command = Command::new("promtool");
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn config(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(file)
}

#[test]
fn metrics_are_as_documented_and_as_prometheus_wants_them() {
    let metrics = metrics();
    let names = names(&metrics);
    for name in [
        "rosterd_seats",
        "rosterd_members",
        "rosterd_pending_oldest_seconds",
        "rosterd_requests_total",
        "rosterd_request_seconds",
        "rosterd_run_seconds",
        "rosterd_runs_total",
        "rosterd_source_age_seconds",
        "rosterd_source_errors_total",
        "rosterd_alerts_total",
        "rosterd_build_info",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    ] {
        assert!(names.contains(name), "{name} is missing:\n{metrics}");
    }
    for sample in [
        "rosterd_seats{subscription=\"contoso\",kind=\"available\"} 2",
        "rosterd_seats{subscription=\"contoso\",kind=\"assigned\"} 2",
        "rosterd_members{subscription=\"contoso\",state=\"assigned\"} 2",
        "rosterd_runs_total{outcome=\"incomplete\"} ",
        "rosterd_requests_total{method=\"PUT\",status=\"200\"} ",
        "rosterd_request_seconds_bucket{le=\"+Inf\"} ",
        "rosterd_source_age_seconds{source=\"hr\"} ",
    ] {
        assert!(metrics.contains(&format!("\n{sample}")), "{sample} is missing:\n{metrics}");
    }
    assert!(!metrics.contains('@'), "nobody is named:\n{metrics}");
    let checked = promtool(&["check", "metrics"], &metrics);
    assert!(checked.status.success() && checked.stderr.is_empty(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// Every name of ours in a text that is no family, histograms' series counted to theirs.
fn unknown(text: &str, names: &BTreeSet<String>) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("rosterd_") || word.starts_with("process_"));
    let is_known = |word: &&str| {
        let series = ["", "_bucket", "_sum", "_count"].map(|end| word.strip_suffix(end));
        series.iter().flatten().any(|name| names.contains(*name))
    };
    ours.filter(|word| !is_known(word)).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_and_the_rules_ask_for_what_is_served() {
    let names = names(&metrics());
    assert_eq!(unknown("rate(rosterd_nothing_total[5m]) > rosterd_run_seconds_sum", &names), ["rosterd_nothing_total"]);

    let rules = fs::read_to_string(config("prometheus-alerts.yml")).unwrap();
    assert_eq!(unknown(&rules.replace("rosterd_alerts.", ""), &names), Vec::<String>::new());
    let path = config("prometheus-alerts.yml");
    let checked = promtool(&["check", "rules", path.to_str().unwrap()], "");
    assert!(checked.status.success(), "{checked:?}");
    let tests = config("../tests/it/web/alerts_test.yml");
    let tested = promtool(&["test", "rules", tests.to_str().unwrap()], "");
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));

    let dashboard: Value = serde_json::from_str(&fs::read_to_string(config("grafana.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<&str> = queries.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() >= 10, "{queries:?}");
    for query in &queries {
        assert_eq!(unknown(query, &names), Vec::<String>::new(), "{query}");
        assert!(query.contains("rosterd_") || query.contains("process_"), "{query}");
    }
    // Prometheus reads each as it stands, once Grafana has put in what it stands for.
    let mut rules = "groups:\n- name: panels\n  rules:\n".to_owned();
    for (n, query) in queries.iter().enumerate() {
        let query = query.replace("$__rate_interval", "5m").replace("$subscription", ".*");
        writeln!(rules, "  - record: panel:{n}\n    expr: {}", Value::from(query)).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panels.yml");
    fs::write(&path, &rules).unwrap();
    let checked = promtool(&["check", "rules", path.to_str().unwrap()], "");
    assert!(checked.status.success(), "{checked:?}\n{rules}");
}
