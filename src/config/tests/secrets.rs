//! A secret is in nothing that a wrong configuration makes rosterd say.

use super::super::*;
use super::{GOOD, parse};

const KEY: &str = "0b0e3f0c-6f0d-4d1c-9a55-1f4f1a3d2c9e";

/// Everything that is said and could be logged about a configuration.
fn everything(text: &str) -> String {
    match parse(text) {
        Ok(config) => format!("{config:?}"),
        Err(problems) => format!("{problems}\n{}\n{problems:?}", problems.render(true)),
    }
}

#[test]
fn a_secret_in_place_is_never_shown() {
    for line in [
        "api_key = \"KEY\"",
        "api_key = 'KEY'",
        "api_key = KEY",
        "api_key = \"KEY",
        "api_key = \"\"\"KEY\"\"\"",
        "api_key = \"\"\"\nKEY\"\"\"",
        "api_key = \"\"\"\nKEY",
        "api_key = [\"KEY\"]",
        "api_key = [\n  \"KEY\",\n  7,\n]",
        "api_key = { value = \"KEY\" }",
        "api_key = { file = \"KEY\" }",
        "api_key = { env = \"KEY\" }",
        "api_key = { env = \"KEY\", file = 1 }",
        "api_key = { \"KEY\" }",
        "api_key = {\n  value = \"KEY\"\n  oops\n}",
        "api_key.value = \"KEY\"",
        "apikey = \"KEY\"",
        "api-key = \"KEY\"",
        "\"api key\" = \"KEY\"",
        "key = \"KEY\"",
        "licence = \"KEY\"",
        "type = \"Paddle\", api_key = \"KEY\"",
        "type = \"Padle\" # KEY is the key",
        "schedule = 15 # the token was KEY",
        "[http]\ntoken = \"KEY\"",
        "[heartbeat] # KEY",
        "[http] token = \"KEY\"",
        "[http]\ntoken = { credential = \"whsec_KEY\" }",
        "http = { listen = \"x\", token = \"KEY\" }",
        "http = { listen = \"x\", tokn = \"KEY\" }",
        "[licensing]\nproxy = \"http://user:KEY@proxy.example.com:3128\"",
        "[licensing]\nproxy = \"http//user:KEY@proxy.example.com:3128\"",
        "[licensing]\nbase_url = \"https://KEY@licensing.solinventum.com\"",
        "[licensing]\nbase_url = \"https://licensing.solinventum.com/?key=KEY\"",
        "[ledger]\nurl = \"postgres://user:KEY@host/database\"",
        "[ledger]\nurl = \"postgres://user@host/database?password=KEY\"",
        "[heartbeat]\nurl = \"http://hc-ping.com/KEY\"",
        "[heartbeat]\nurl = \"hc-ping.com/KEY\"",
        "[heartbeat]\nurl = { file = \"https://hc-ping.com/KEY\" }",
        "[[alerts]]\nkind = \"webhook\"\nurl = \"https://hooks.example.com/KEY\"\nsecret = \"KEY\"",
        "[[alerts]]\nkind = \"webhook\"\nurl = \"https://hooks.example.com/KEY\" oops",
        "[[alerts]]\nkind = \"webhook\"\nurl = \"https://hooks.example.com/KEY\"",
        "[[alerts]]\nkind = \"smtp\"\npassword = \"KEY\"",
        "[[alerts]]\nkind = \"smtp\"\nserver = \"smtp://it:KEY@mail.contoso.com\"",
        "[sources.ad]\nkind = \"ldap\"\nbind_password = \"KEY\"",
        "[sources.ad]\nkind = \"ldap\"\nbind_passwd = \"KEY\"",
        "[sources.ad]\nkind = \"ldap\"\nurls = [\"ldaps://cn:KEY@dc1\"]",
        "[sources.ad]\nkind = \"ldap\"\nurls = [\n  \"ldaps://cn:KEY@dc1\",\n]",
        "[subscriptions.x.api_key]\nvalue = \"KEY\"",
        "[subscriptions.x.api_key]\nfile = \"a\"\nenv = \"KEY\"",
        "[subscriptions]\nx = { type = \"Paddle\", api_key = \"KEY\" }",
        "subscriptions.x.api_key = \"KEY\"",
        "api_key = { file = \"a\" }\napi_key = \"KEY\"",
    ] {
        for text in [
            line.to_owned(),
            format!("[subscriptions.y]\n{line}\n"),
            format!("{line}\n{GOOD}"),
            format!("{GOOD}{line}\n"),
        ] {
            for secret in [KEY, "hunter2+/=="] {
                let said = everything(&text.replace("KEY", secret));
                assert!(!said.contains(secret) && !said.contains("hunter2"), "{text}\n{said}");
            }
        }
    }
}

#[test]
fn a_place_of_a_secret_is_understood() {
    let with = |place: &str| {
        let text = GOOD.replace("{ file = \"contoso.key\" }", place);
        parse(&text).unwrap_or_else(|error| panic!("{error}")).subscriptions["contoso"].api_key.clone()
    };
    assert_eq!(with("{ file = \"contoso.key\" }"), SecretRef::File("/etc/rosterd/contoso.key".into()));
    assert_eq!(with("{ file = \"/run/keys/contoso\" }"), SecretRef::File("/run/keys/contoso".into()));
    assert_eq!(with("{ env = \"CONTOSO_KEY\" }"), SecretRef::Env("CONTOSO_KEY".to_owned()));
    assert_eq!(with("{ credential = \"contoso-key\" }"), SecretRef::Credential("contoso-key".to_owned()));
}
