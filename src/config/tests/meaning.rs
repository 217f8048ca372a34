//! What the keys of a configuration come to.

use std::time::Duration;

use super::super::*;
use super::{GOOD, SIGNS_IN, parse};

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn with_source(keys: &str) -> Config {
    good(&format!("{GOOD}{keys}\n"))
}

fn csv(config: &Config) -> &Csv {
    match &config.sources["hr"].kind {
        SourceKind::Csv(csv) => csv,
        SourceKind::Ldap(_) => panic!(),
    }
}

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_subscription_overrides_single_keys_of_the_defaults() {
    let text = format!(
        "[defaults]\ntimezone = \"Europe/Berlin\"\nbatch_size = 50\nexclude = [\"svc-*\"]\nremoval_grace = \"2d\"\n\
         [defaults.guard]\nmax_removals = 3\nalways_allow = 0\n{}",
        GOOD.replace(
            "[sources",
            "batch_size = 7\nremoval_grace = { left = \"1h\" }\nguard = { max_removals = \"2.5%\" }\n[sources"
        )
    );
    let subscription = &good(&text).subscriptions["contoso"];
    let policy = &subscription.policy;
    assert_eq!(subscription.batch_size.get(), 7);
    assert_eq!(subscription.schedule.zone, chrono_tz::Europe::Berlin);
    assert_eq!(policy.exclude.matching("SVC-backup@contoso.com"), Some("svc-*"));
    assert_eq!(policy.removal_grace, Grace { left: HOUR, disabled: HOUR * 48, vanished: HOUR * 48 });
    assert_eq!(policy.guard.max_removals, Limit::Share(0.025));
    assert_eq!(policy.guard.always_allow, 0);
    assert_eq!(policy.guard.max_removals_per_day, Limit::Share(0.3));
}

#[test]
fn the_defaults_may_hold_any_key_of_a_subscription() {
    let text = "[defaults]\ntype = \"Azure\"\nsources = [\"hr\"]\napi_key = { env = \"KEY\" }\n\
                [subscriptions.contoso]\nid = \"ff3d3cf5-5388-40a0-915f-970c1d2d972f\"\n\
                [sources.hr]\nkind = \"csv\"\npath = \"/srv/hr\"\n";
    let subscription = &good(text).subscriptions["contoso"];
    assert_eq!(subscription.kind, SubscriptionType::Azure);
    assert_eq!(subscription.sources, ["hr"]);
    assert_eq!(subscription.api_key, SecretRef::Env("KEY".to_owned()));
}

#[test]
fn a_mistake_in_the_defaults_is_reported_once_for_all_subscriptions() {
    let text = "[defaults]\nsources = [\"hrr\"]\ntype = \"Padle\"\napi_key = \"x\"\n\
                [subscriptions.a]\nid = \"ff3d3cf5-5388-40a0-915f-970c1d2d972f\"\n\
                [subscriptions.b]\nid = \"ff3d3cf5-5388-40a0-915f-970c1d2d9720\"\n\
                [sources.hr]\nkind = \"csv\"\npath = \"/srv/hr\"\n";
    assert_eq!(parse(text).unwrap_err().iter().count(), 3);
}

#[test]
fn durations_shares_and_words_mean_what_they_say() {
    for (text, ms) in [("0s", 0), ("250ms", 250), ("90s", 90_000), ("1h", 3_600_000), ("1m30s", 90_000)] {
        assert_eq!(csv(&with_source(&format!("settle = \"{text}\""))).settle, Duration::from_millis(ms), "{text}");
    }
    let age = |text: &str| with_source(&format!("max_age = \"{text}\"")).sources["hr"].max_age;
    assert_eq!((age("off"), age("3d"), age("1w")), (None, Some(HOUR * 72), Some(HOUR * 168)));
    assert_eq!(with_source("max_age = \"3d\"").warnings, [""; 0]);
    assert_eq!(csv(&with_source("max_bad_rows = 12")).max_bad_rows, Limit::Count(12));
    assert_eq!(csv(&with_source("max_bad_rows = \"0%\"")).max_bad_rows, Limit::Share(0.0));
    assert_eq!(csv(&with_source("mode = \"delta\"")).mode, Mode::Delta);
    for (text, delimiter) in [("auto", None), ("tab", Some(b'\t')), ("\\t", Some(b'\t')), ("|", Some(b'|'))] {
        assert_eq!(csv(&with_source(&format!("delimiter = \"{text}\""))).delimiter, delimiter, "{text}");
    }
    for (text, encoding) in [
        ("auto", Encoding::Auto),
        ("utf-8", Encoding::Utf8),
        ("utf-16", Encoding::Utf16),
        ("windows-1252", Encoding::Windows1252),
    ] {
        assert_eq!(csv(&with_source(&format!("encoding = \"{text}\""))).encoding, encoding);
    }
    for (text, after) in [("archive", After::Archive), ("leave", After::Leave), ("delete", After::Delete)] {
        assert_eq!(csv(&with_source(&format!("after = \"{text}\""))).after, after);
    }
    for (text, watch) in [("auto", Watch::Auto), ("native", Watch::Native), ("poll", Watch::Poll)] {
        assert_eq!(csv(&with_source(&format!("watch = \"{text}\""))).watch, watch);
    }
    let domains = |text: &str| {
        good(&format!("[defaults]\ndomains = [\"{text}\"]{GOOD}")).subscriptions["contoso"].policy.domains.clone()
    };
    assert_eq!(domains("Contoso.COM"), ["contoso.com"]);
    assert_eq!(domains("bücher.example"), ["xn--bcher-kva.example"]);
}

#[test]
fn places_are_understood_in_their_usual_forms() {
    let ledger = |url: &str| good(&format!("[ledger]\nurl = \"{url}\"{GOOD}")).ledger;
    assert_eq!(ledger("sqlite:rosterd.db"), LedgerUrl::Sqlite("/etc/rosterd/rosterd.db".into()));
    assert_eq!(ledger("sqlite:///var/lib/rosterd.db"), LedgerUrl::Sqlite("/var/lib/rosterd.db".into()));
    assert!(matches!(ledger("postgres://rosterd@db/rosterd"), LedgerUrl::Postgres(_)));
    let http = |listen: &str| good(&format!("[http]\nlisten = \"{listen}\"{GOOD}")).http.listen;
    assert_eq!((http("off"), http("[::1]:80")), (None, "[::1]:80".parse().ok()));
    let base = |url: &str| good(&format!("[licensing]\nbase_url = \"{url}\"{GOOD}")).licensing.base_url.to_string();
    assert_eq!(base("http://127.0.0.1:8402"), "http://127.0.0.1:8402/");
    assert_eq!(base("http://localhost:8402/a/"), "http://localhost:8402/a");
    assert_eq!(base("http://[::1]:8402"), "http://[::1]:8402/");
}

#[test]
fn a_certificate_is_two_files_and_whoever_listens_for_others_without_one_is_warned() {
    let http = |keys: &str| good(&format!("[http]\ntoken = {{ env = \"TOKEN\" }}\n{keys}{GOOD}"));
    let files = "cert = \"web.pem\"\nkey = \"/etc/web.key\"\n";
    let config = http(&format!("listen = \"0.0.0.0:443\"\n{files}"));
    let certificate = config.http.certificate.unwrap();
    assert!(certificate.cert.is_absolute() && certificate.cert.ends_with("web.pem"), "{certificate:?}");
    assert_eq!(certificate.key, PathBuf::from("/etc/web.key"));
    assert_eq!(config.warnings, [""; 0]);
    let open = http("listen = \"0.0.0.0:80\"\n");
    assert!(open.warnings.len() == 1 && open.warnings[0].contains("without TLS"), "{:?}", open.warnings);
    assert_eq!(http("listen = \"[::1]:80\"\n").warnings, [""; 0]);
    for (one, other) in [("cert", "key"), ("key", "cert")] {
        let error = parse(&format!("[http]\n{one} = \"web.pem\"{GOOD}")).map(drop).unwrap_err().to_string();
        assert!(error.contains(&format!("`{one}` is here without `{other}`")), "{error}");
    }
}

#[test]
fn a_receiver_of_alerts_has_all_events_and_a_reminder_each_day_unless_it_says_otherwise() {
    let alerts = |text: &str| good(&format!("{text}\n{GOOD}")).alerts;
    let command = |events: Vec<AlertEvent>, hours| Alert {
        way: Way::Command { command: vec!["page".to_owned(), "-x".to_owned()] },
        ca_file: None,
        events,
        remind_every: Duration::from_hours(hours),
    };
    let plain = "[[alerts]]\nkind = \"command\"\ncommand = [\"page\", \"-x\"]";
    assert_eq!(alerts(plain), [command(AlertEvent::ALL.to_vec(), 24)]);
    let [Alert { way: Way::Command { command: relative }, .. }] = &alerts(&plain.replace("page", "./bin/page"))[..]
    else {
        panic!("one command");
    };
    assert_eq!(relative, &["/etc/rosterd/bin/page", "-x"], "a path is relative to the file");
    let some = "events = [\"drift\", \"seats-exhausted\"]\nremind_every = \"2h\"";
    assert_eq!(alerts(&format!("{plain}\n{some}")), [command(vec![AlertEvent::SeatsExhausted, AlertEvent::Drift], 2)]);
    let smtp = "[[alerts]]\nkind = \"smtp\"\nto = [\"it@contoso.com\"]\nfrom = \"r@contoso.com\"\nserver = \"smtp://localhost\"";
    assert!(matches!(&alerts(smtp)[0].way, Way::Smtp { login: None, .. }));
    let login = format!("{smtp}\nusername = \"r\"\npassword = {{ env = \"P\" }}\n{GOOD}");
    assert!(good(&login).warnings[0].contains("without TLS"));
    assert_eq!(good(&login.replace("localhost", "mail.contoso.com")).warnings, [""; 0]);
}

#[test]
fn two_sources_on_the_same_files_are_a_warning() {
    let twin = "[sources.hr2]\nkind = \"csv\"\npath = \"drops/hr\"\n";
    let warnings =
        good(&GOOD.replace("[\"hr\"]", "[\"hr\", \"hr2\"]").replace("[sources.hr]", &format!("{twin}[sources.hr]")))
            .warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("`hr` and `hr2`"), "{warnings:?}");
}

#[test]
fn the_scope_changes_with_what_is_looked_at_and_with_nothing_else() {
    let scope = |text: &str| {
        let config = good(text);
        config.subscriptions["contoso"].scope(&config.sources)
    };
    let first = scope(GOOD);
    insta::assert_snapshot!(first, @r#"
    source "hr": csv path="/etc/rosterd/drops/hr" pattern="*.csv" mode=Snapshot columns={}
    exclude []
    domains []
    "#);
    for same in [
        format!(
            "# a comment\n[defaults]\nschedule = \"0 * * * *\"\ntimezone = \"Europe/Berlin\"\n{GOOD}settle = \"9s\"\nafter = \"leave\"\n"
        ),
        GOOD.replace("path = \"drops/hr\"", "path = \"/etc/rosterd/drops/hr\""),
        format!("{GOOD}pattern = \"*.csv\"\nmode = \"snapshot\"\ncolumns = {{}}\n"),
    ] {
        assert_eq!(scope(&same), first, "{same}");
    }
    for other in [
        format!("{GOOD}pattern = \"hr-*.csv\"\n"),
        format!("{GOOD}mode = \"delta\"\n"),
        format!("{GOOD}columns = {{ email = \"mail\" }}\n"),
        GOOD.replace("drops/hr", "drops/it"),
        format!("[defaults]\nexclude = [\"svc-*\"]\n{GOOD}"),
        format!("[defaults]\ndomains = [\"contoso.com\"]\n{GOOD}"),
        GOOD.replace("[\"hr\"]", "[\"hr\", \"it\"]") + "[sources.it]\nkind = \"csv\"\npath = \"drops/it\"\n",
    ] {
        assert_ne!(scope(&other), first, "{other}");
    }
}

#[test]
fn the_scope_of_a_directory_does_not_depend_on_the_layout() {
    let scope = |keys: &str| {
        let text = format!("{GOOD}[sources.ad]\nkind = \"ldap\"\n{SIGNS_IN}\nurls = [\"ldaps://dc1\"]\n{keys}\n");
        good(&text).sources["ad"].scope()
    };
    assert_eq!(scope("nested = true\ngroups = [ \"CN=a\" ]"), scope("groups = ['CN=a']\nnested = true"));
    let first = scope("groups = [\"CN=a\"]");
    for other in
        ["groups = [\"CN=b\"]", "groups = [\"CN=a\"]\nnested = false", "groups = [\"CN=a\"]\nuser_filter = \"(a=b)\""]
    {
        assert_ne!(scope(other), first, "{other}");
    }
    // Another server, another way to it and another order look at the same people.
    for same in
        ["groups = [\"cn = A\"]", "groups = [\"CN=a\"]\npage_size = 7", "groups = [{ dn = \"CN=a\", priority = 3 }]"]
    {
        assert_eq!(scope(same), first, "{same}");
    }
}

#[test]
fn a_global_catalog_is_warned_of() {
    let warnings = |keys: &str| {
        let text = format!("{GOOD}[sources.ad]\nkind = \"ldap\"\n{SIGNS_IN}\ngroups = [\"CN=a\"]\n{keys}\n");
        good(&text).warnings.join("\n")
    };
    assert!(warnings("urls = [\"ldaps://dc1:3269\"]").contains("asks a global catalog (port 3268 or 3269)"));
    assert!(!warnings("urls = [\"ldaps://dc1\"]\ndiscover = false").contains("global catalog"));
    assert!(warnings("urls = [\"ldaps://dc1\"]\nstart_tls = true").contains("start_tls = true, which has no effect"));
    assert!(!warnings("urls = [\"ldaps://dc1\", \"ldap://dc2\"]\nstart_tls = true").contains("no effect"));
}
