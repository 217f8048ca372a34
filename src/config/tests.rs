use std::path::Path;

use super::*;

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

fn parse(text: &str) -> Result<Config, Problems> {
    load_str(Path::new("/etc/rosterd/rosterd.toml"), text)
}

fn refused(text: &str) -> String {
    parse(text).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn ten_mistakes_are_shown_at_once() {
    let text = r#"
[log]
format = "txt"
[http]
listen = "0.0.0.0:8380"
[licensing]
base_url = "http://licensing.solinventum.com"
requests_per_second = 0
[defaults]
shedule = "*/15 * * * *"
timezone = "Europe/Berln"
[subscriptions.contoso]
type = "Paddle"
id = "ff3d3cf5"
api_key = "0b0e3f0c-6f0d-4d1c-9a55-1f4f1a3d2c9e"
sources = ["hr", "contoso-ad"]
schedule = "0 0 30 2 *"
[sources.hr]
kind = "csv"
settle = 2
[sources.contoso-hr]
kind = "cvs"
"#;
    insta::assert_snapshot!(refused(text), @"");
}

#[test]
fn a_good_one_loads() {
    let config = parse(GOOD).unwrap();
    insta::assert_debug_snapshot!(config, @"");
}
