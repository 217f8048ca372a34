use std::path::Path;

use super::*;

mod files;
mod meaning;
mod mistakes;
mod properties;
mod reference;
mod secrets;

const GOOD: &str = r#"
[subscriptions.contoso]
type = "Paddle"
id = "ff3d3cf5-5388-40a0-915f-970c1d2d972f"
api_key = { file = "contoso.key" }
sources = ["hr"]
[sources.hr]
kind = "csv"
path = "drops/hr"
"#;

/// How a directory is signed in to, where that does not matter.
const SIGNS_IN: &str = "bind_dn = \"CN=rosterd\"\nbind_password = { env = \"AD\" }";

fn parse(text: &str) -> Result<Config, Problems> {
    load_str(Path::new("/etc/rosterd/rosterd.toml"), text)
}

fn refused(text: &str) -> String {
    parse(text).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn what_is_left_out_of_the_whole_has_its_default() {
    let Config { files, ledger, log, http, mut licensing, heartbeat, alerts, warnings, .. } = parse(GOOD).unwrap();
    assert_eq!(licensing.base_url.as_str(), "https://licensing.solinventum.com/");
    licensing.base_url = "data:".parse().unwrap();
    insta::assert_debug_snapshot!((files, ledger, log, http, licensing, heartbeat, alerts, warnings), @r#"
    (
        [
            "/etc/rosterd/rosterd.toml",
        ],
        Sqlite(
            "/etc/rosterd/rosterd.db",
        ),
        Log {
            format: Text,
            clear_addresses: false,
        },
        Http {
            listen: Some(
                127.0.0.1:8380,
            ),
            token: None,
            certificate: None,
        },
        Licensing {
            base_url: Url {
                scheme: "data",
                cannot_be_a_base: true,
                username: "",
                password: None,
                host: None,
                port: None,
                path: "",
                query: None,
                fragment: None,
            },
            requests_per_second: 5.0,
            burst: 5,
            concurrency: 8,
            timeout: 30s,
            retry_for: 30s,
            proxy: None,
            ca_file: None,
        },
        None,
        [],
        [],
    )
    "#);
}

#[test]
fn what_is_left_out_of_a_subscription_and_a_source_has_its_default() {
    let config = parse(GOOD).unwrap();
    insta::assert_debug_snapshot!(config.subscriptions, @r#"
    {
        "contoso": Subscription {
            name: "contoso",
            kind: Paddle,
            id: ff3d3cf5-5388-40a0-915f-970c1d2d972f,
            api_key: SecretRef(the secret's file /etc/rosterd/contoso.key),
            sources: [
                "hr",
            ],
            schedule: Schedule(*/15 * * * * UTC),
            batch_size: 100,
            seat_probe: 900s,
            reassert: None,
            policy: Policy {
                timezone: UTC,
                removal_grace: Grace {
                    left: 0ns,
                    disabled: 0ns,
                    vanished: 86400s,
                },
                exclude: Globs {
                    patterns: [],
                },
                protect: Globs {
                    patterns: [],
                },
                domains: [],
                guard: Guard {
                    max_removals: Share(
                        0.2,
                    ),
                    max_removals_per_day: Share(
                        0.3,
                    ),
                    always_allow: 5,
                    hold_after_change: true,
                    approval_expires: 86400s,
                },
            },
        },
    }
    "#);
    insta::assert_debug_snapshot!(config.sources, @r#"
    {
        "hr": Source {
            name: "hr",
            allow_empty: false,
            must_include: [],
            max_age: None,
            kind: Csv(
                Csv {
                    path: "/etc/rosterd/drops/hr",
                    pattern: "*.csv",
                    mode: Snapshot,
                    settle: 2s,
                    watch: Auto,
                    poll_interval: 30s,
                    after: Archive,
                    max_bad_rows: Share(
                        0.05,
                    ),
                    encoding: Auto,
                    delimiter: None,
                    columns: Columns {
                        email: None,
                        id: None,
                        action: None,
                        priority: None,
                        start: None,
                        end: None,
                        subscription: None,
                    },
                },
            ),
        },
    }
    "#);
}
