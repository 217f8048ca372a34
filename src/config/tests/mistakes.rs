//! What is wrong is shown, with its place and what to write instead.

use super::super::*;
use super::{GOOD, SIGNS_IN, parse, refused};

#[test]
fn ten_mistakes_are_shown_at_once() {
    let text = r#"
[log]
format = "txt"
[http]
listen = "0.0.0.0:8380"
[licensing]
base_url = "http://licensing.solinventum.com"
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
    insta::assert_snapshot!(refused(text), @r#"
    error: `txt` is none of the words that this key takes
     --> /etc/rosterd/rosterd.toml:3:10
      |
    3 | format = "txt"
      |          ^^^^^
      = did you mean "text"? It takes "text" or "json"

    error: an address that is not loopback needs a token
     --> /etc/rosterd/rosterd.toml:5:10
      |
    5 | listen = "0.0.0.0:8380"
      |          ^^^^^^^^^^^^^^
      = add token = { file = "web.token" } to [http], or listen on 127.0.0.1

    error: http:// would show secrets to the network
     --> /etc/rosterd/rosterd.toml:7:12
      |
    7 | base_url = "http://licensing.solinventum.com"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = write https://

    error: unknown key `shedule`
     --> /etc/rosterd/rosterd.toml:9:1
      |
    9 | shedule = "…"
      | ^^^^^^^
      = did you mean `schedule`?

    error: there is no time zone `Europe/Berln`
      --> /etc/rosterd/rosterd.toml:10:12
       |
    10 | timezone = "Europe/Berln"
       |            ^^^^^^^^^^^^^^
       = did you mean "Europe/Berlin"? It takes IANA names such as "Europe/Berlin"

    error: this is not a GUID
      --> /etc/rosterd/rosterd.toml:13:6
       |
    13 | id = "ff3d3cf5"
       |      ^^^^^^^^^^
       = write the subscription's GUID as the licence portal shows it: 32 hexadecimal digits in the form 8-4-4-4-12

    error: a secret must not stand in the configuration
      --> /etc/rosterd/rosterd.toml:14:11
       |
    14 | api_key = "…"
       |           ^^^
       = write where it is kept: { file = "contoso.key" }, { env = "CONTOSO_KEY" } or { credential = "contoso-key" } (systemd)

    error: there is no source `contoso-ad`
      --> /etc/rosterd/rosterd.toml:15:18
       |
    15 | sources = ["hr", "contoso-ad"]
       |                  ^^^^^^^^^^^^
       = did you mean `contoso-hr`?

    error: `0 0 30 2 *` is not a schedule: no day ever fits it
      --> /etc/rosterd/rosterd.toml:16:12
       |
    16 | schedule = "0 0 30 2 *"
       |            ^^^^^^^^^^^^
       = write five fields (minute, hour, day of month, month, day of week) such as "*/15 * * * *" or "0 6 * * MON-FRI", or six with seconds first

    error: `path` is missing here
      --> /etc/rosterd/rosterd.toml:17:1
       |
    17 | [sources.hr]
       | ^^^^^^^^^^^^
       = add path = "…": A folder that is watched, or one file.

    error: 2 has no unit
      --> /etc/rosterd/rosterd.toml:19:10
       |
    19 | settle = 2
       |          ^
       = write "2s" for seconds, or "90s", "15m", "24h" or "7d"

    error: there is no such kind
      --> /etc/rosterd/rosterd.toml:21:8
       |
    21 | kind = "cvs"
       |        ^^^^^
       = did you mean "csv"? It takes "csv" or "ldap"

    12 problems in the configuration; nothing is done until they are mended
    "#);
}

/// What is said about a configuration, with the line, in one line each.
fn said(text: &str) -> String {
    let problems = parse(text).map(|_| ()).expect_err(text);
    let one = |problem: &Problem| format!("{}: {}; {}", problem.line().unwrap_or(0), problem.says, problem.help);
    problems.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// What is said when these lines are added to a good configuration's top, each by itself.
fn said_each(lines: &[&str]) -> String {
    lines.iter().map(|line| said(&format!("{line}{GOOD}"))).collect::<Vec<_>>().join("\n")
}

#[test]
fn unknown_keys_come_with_the_nearest_one() {
    let lines = [
        "[ledgr]",
        "ledger.uri = \"sqlite:rosterd.db\"",
        "schedule = \"* * * * *\"",
        "[defaults]\nguards.max_removals = 3",
        "[defaults.guard]\nmaxremovals = 3",
        "[http]\npath = \"x\"",
        "[log]\ncolour = true",
        "[defaults]\nremoval_grace = { gone = \"1d\" }",
    ];
    insta::assert_snapshot!(said_each(&lines), @r#"
    1: unknown key `ledgr`; did you mean `ledger`?
    1: unknown key `uri`; did you mean `url`?
    1: unknown key `schedule`; `schedule` belongs to [sources.NAME] with kind = "ldap"
    2: unknown key `guards`; did you mean `guard`?
    2: unknown key `maxremovals`; did you mean `max_removals`?
    2: unknown key `path`; `path` belongs to [sources.NAME] with kind = "csv"
    2: unknown key `colour`; the keys here are `format` or `addresses`
    2: unknown key `gone`; the keys here are `left`, `disabled` or `vanished`
    "#);
}

#[test]
fn wrong_types_say_what_was_expected() {
    let lines = [
        "[log]\nformat = true",
        "log = \"text\"",
        "[licensing]\nburst = \"5\"",
        "[licensing]\nrequests_per_second = \"5\"",
        "[licensing]\ntimeout = 30",
        "[defaults]\nexclude = \"*@example.org\"",
        "[defaults]\nexclude = [1]",
        "[defaults]\ntimezone = 2026-11-23",
        "[defaults.guard]\nhold_after_change = \"yes\"",
        "[defaults.guard]\nmax_removals = 0.2",
        "alerts = { kind = \"smtp\" }",
        "alerts = [\"smtp\"]",
        "include = \"clients/*.toml\"",
    ];
    insta::assert_snapshot!(said_each(&lines), @r#"
    2: expected a text, found true or false; write "text" or "json"
    1: expected a table, found a text; write it as [header] with keys below, or as { key = value }
    2: expected a whole number, found a text; write a whole number from 1 to 1000, without quotes
    2: expected a number, found a text; write a number above 0 such as 5.0, without quotes
    2: 30 has no unit; write "30s" for seconds, or "90s", "15m", "24h" or "7d"
    2: expected a list, found a text; write ["*@example.org", "svc-*"]
    2: expected a text, found a number; write it in double quotes
    2: expected a time zone, found a date; write an IANA name such as "Europe/Berlin"
    2: expected true or false, found a text; write true or false, without quotes
    2: 0.2 is not a whole number; a share is written with a %; write a share such as "20%", or a whole number without quotes such as 10
    1: expected a list, found a table; write each as [[alerts]]
    1: expected a table, found a text; write it as [header] with keys below, or as { key = value }
    1: expected a list, found a text; write ["clients/*.toml"]
    "#);
}

#[test]
fn values_that_can_not_be_say_what_can() {
    let lines = [
        "[defaults]\nbatch_size = 0",
        "[defaults]\nbatch_size = 10001",
        "[defaults]\nbatch_size = -1",
        "[licensing]\nrequests_per_second = nan",
        "[licensing]\nrequests_per_second = -5",
        "[licensing]\ntimeout = \"soon\"",
        "[licensing]\ntimeout = \"1M\"",
        "[licensing]\ntimeout = \"99999999999999999999s\"",
        "[licensing]\ntimeout = \"off\"",
        "[licensing]\nbase_url = \"licensing.solinventum.com\"",
        "[licensing]\nbase_url = \"https://licensing.solinventum.com/api/manage\"",
        "[licensing]\nbase_url = \"ftp://licensing.solinventum.com\"",
        "[licensing]\nproxy = \"socks5://localhost:1080\"",
        "[http]\nlisten = \"localhost:8380\"",
        "[http]\nlisten = \":8380\"",
        "[http]\nlisten = \"8380\"",
        "[ledger]\nurl = \"rosterd.db\"",
        "[ledger]\nurl = \"sqlite::memory:\"",
        "[defaults]\nreassert = \"never\"",
        "[defaults]\nreassert = \"0s\"",
        "[defaults]\nremoval_grace = \"1 day\"",
        "[defaults]\nschedule = \"* * *\"",
        "[defaults]\nschedule = \"99 * * * *\"",
        "[defaults]\ntimezone = \"CET/Berlin\"",
        "[defaults]\nexclude = [\"example.org\"]",
        "[defaults]\nprotect = [\"[a-\"]",
        "[defaults]\ndomains = [\"@contoso.com\"]",
        "[defaults]\ndomains = [\"*.contoso.com\"]",
        "[defaults.guard]\nmax_removals = \"120%\"",
        "[defaults.guard]\nmax_removals = -1",
        "[[alerts]]\nkind = \"pager\"",
        "[[alerts]]\nto = [\"it@contoso.com\"]",
        "[[alerts]]\nkind = \"slack\"",
        "[[alerts]]\nkind = \"slack\"\nurl = \"http://hooks.example.com/x\"",
        "[[alerts]]\nkind = \"command\"\ncommand = []",
        "[[alerts]]\nkind = \"command\"\ncommand = [\"page\"]\nevents = [\"drfit\"]",
        "[heartbeat]\nevery = \"5m\"",
        "[sources.x]\nkind = \"csv\"\npath = \"x\"\nmust_include = [\"jane\"]",
        "[sources.x]\nkind = \"csv\"\npath = \"x\"\npattern = \"a/*.csv\"",
        "[sources.x]\nkind = \"csv\"\npath = \"x\"\ndelimiter = \"tabs\"",
        "[sources.x]\nkind = \"csv\"\npath = \"x\"\nbind_dn = \"CN=x\"",
        "[sources.x]\nkind = \"csv\"\npath = \"\"",
        "[sources.x]\npath = \"x\"",
        "[sources.\"a b\"]\nkind = \"csv\"\npath = \"x\"",
    ];
    insta::assert_snapshot!(said_each(&lines), @r#"
    2: 0 is out of range; write a whole number from 1 to 10000, without quotes
    2: 10001 is out of range; write a whole number from 1 to 10000, without quotes
    2: -1 is out of range; write a whole number from 1 to 10000, without quotes
    2: this rate can't be; write a number above 0 and up to 10000, such as 5.0
    2: this rate can't be; write a number above 0 and up to 10000, such as 5.0
    2: `soon` is not a duration; write it as "90s", "15m", "24h" or "7d"
    2: `1M` is not a duration; write it as "90s", "15m", "24h" or "7d"
    2: `99999999999999999999s` is not a duration; write it as "90s", "15m", "24h" or "7d"
    2: `off` is not a duration; write it as "90s", "15m", "24h" or "7d"
    2: this is not an address; write it as "https://host/path"
    2: this address says too much; write the server alone, such as "https://licensing.solinventum.com"; the rest is known
    2: ftp:// is not understood here; write https://
    2: a proxy at socks5:// is not understood; write http:// or https://
    2: `localhost:8380` is not an IP address and a port; write "127.0.0.1:8380"
    2: `:8380` is not an IP address and a port; write "0.0.0.0:8380" for every address of this machine
    2: `8380` is not an IP address and a port; write "127.0.0.1:8380", "[::1]:8380" or "off"
    2: this is no place for a ledger; write "sqlite:rosterd.db"
    2: the ledger has to be a file; write "sqlite:rosterd.db"
    2: `never` is not a duration; write it as "90s", "15m", "24h", "7d" or "off"
    2: `0s` is out of range; write a duration from 1s to 365d, or "off"
    2: `1 day` is not a duration; write it as "90s", "15m", "24h" or "7d"
    2: `* * *` is not a schedule: it has 3 fields, not five or six; write five fields (minute, hour, day of month, month, day of week) such as "*/15 * * * *" or "0 6 * * MON-FRI", or six with seconds first
    2: `99 * * * *` is not a schedule: number out of bounds; write five fields (minute, hour, day of month, month, day of week) such as "*/15 * * * *" or "0 6 * * MON-FRI", or six with seconds first
    2: there is no time zone `CET/Berlin`; write an IANA name such as "Europe/Berlin" or "UTC"
    2: `example.org` fits no address: a pattern has to match all of it; write "*@example.org" for a domain, or "example.org@*" for a name
    2: this pattern can't be read: unclosed character class; missing ']'; `*` stands for anything, `?` for one character, `[ab]` for one of these, `\` takes the next as it is
    2: `@contoso.com` is not a domain; write it whole, such as "contoso.com"
    2: `*.contoso.com` is not a domain; write it whole, such as "contoso.com"
    2: `120%` is not a share from 0% to 100%; write a share such as "20%", or a whole number without quotes such as 10
    2: -1 is neither a share nor a number of people; write a share such as "20%", or a whole number without quotes such as 10
    2: there is no such kind; write "smtp", "slack", "teams", "webhook" or "command"
    1: `kind` is missing here; add kind = "smtp", "slack", "teams", "webhook" or "command"
    1: `url` is missing here; add url = "…": The webhook's address: { file | env | credential = "…" }, or in place.
    3: http:// would show secrets to the network; write https://
    3: this list is empty; name at least one
    4: `drfit` is none of the words that this key takes; did you mean "drift"? It takes "seats-exhausted", "key-rejected", "removals-held", "source-failed", "members-quarantined", "drift", "run-failed" or "configuration-refused"
    1: `url` is missing here; add url = "…": Fetched after each round in which every subscription was looked after: { file | env | credential = "…" }, or in place.
    4: the address `jane` has no @; write it as "jane@contoso.com"
    4: a pattern is for names of files in the folder, not for paths; write the folder under `path` and the names here, such as "*.csv"
    4: `tabs` is not a delimiter; write "auto", ",", ";", "|" or "tab"
    4: unknown key `bind_dn`; `bind_dn` belongs to [sources.NAME] with kind = "ldap"
    3: this path can't be; write a path, relative to this file or absolute
    1: `kind` is missing here; add kind = "csv" or "ldap"
    1: this name can't be; use up to 64 letters (a to z), digits, `-`, `_` and `.`, a letter or digit first
    "#);
}

#[test]
fn what_a_directory_lacks_is_said() {
    let ldap = |keys: &str| said(&format!("[sources.ad]\nkind = \"ldap\"\n{keys}{GOOD}"));
    let all = [
        ldap(
            "urls = [\"ldap://dc1.contoso.com\"]\nbind_dn = \"CN=x\"\nbind_password = { env = \"AD\" }\ngroups = [\"CN=x\"]",
        ),
        ldap("urls = [\"https://dc1.contoso.com\"]\nauth = \"external\"\nuser_filter = \"(a=b)\""),
        ldap(&format!("urls = []\n{SIGNS_IN}")),
        ldap(&format!(
            "urls = [\"ldaps://dc1\"]\n{SIGNS_IN}\ngroups = [{{ priority = 1 }}, {{ dn = \"CN=x\", subscription = \"contosso\" }}, 7]"
        )),
        ldap(
            "urls = [\"ldap://127.0.0.1\"]\nauth = \"external\"\nclient_cert = \"c\"\nclient_key = \"k\"\ngroups = [\"CN=x\"]",
        ),
        ldap(&format!(
            "urls = [\"ldaps://contoso.com\", \"ldaps://10.0.0.1\"]\ndiscover = true\n{SIGNS_IN}\ngroups = [\"CN=x\"]"
        )),
        ldap(&format!("urls = [\"ldaps://[2001:db8::1]\"]\ndiscover = true\n{SIGNS_IN}\ngroups = [\"CN=x\"]")),
        ldap(&format!("urls = [\"ldaps://dc1/DC=contoso,DC=com?mail\"]\n{SIGNS_IN}\ngroups = [\"CN=x\"]")),
        ldap(&format!("urls = [\"ldaps://dc1/\"]\n{SIGNS_IN}\ngroups = [\"\", {{ dn = \"CN=x\", id = \"7\" }}]")),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    3: ldap:// would show the password and the people to the network; write ldaps://, or add start_tls = true
    1: `client_cert` is missing here: auth = "external" needs it; add client_cert, or change auth
    1: `client_key` is missing here: auth = "external" needs it; add client_key, or change auth
    1: a filter alone needs a place to search; add base_dn = "DC=contoso,DC=com"
    3: https:// is not a directory; write ldaps:// or ldap://
    1: this does not say who should have a licence; add groups = ["CN=…"], or a user_filter with base_dn
    3: this list is empty; name at least one server
    6: `dn` is missing here; add dn = "…": The group's distinguished name.
    6: there is no subscription `contosso`; did you mean `contoso`?
    6: expected a table, found a number; write it as [header] with keys below, or as { key = value }
    3: auth = "external" needs TLS; write ldaps://, or add start_tls = true
    3: this is no domain whose servers DNS could name; write ldaps://contoso.com, or leave discover out
    3: this is no domain whose servers DNS could name; write ldaps://contoso.com, or leave discover out
    3: this names more than a server; leave out what comes after its name and port; where searches begin stands in base_dn
    6: this is not a distinguished name: it ends where a name should follow; write it as "CN=Staff,OU=Groups,DC=contoso,DC=com"
    6: this is not a GUID; write the group's objectGUID or entryUUID: 32 hexadecimal digits in the form 8-4-4-4-12
    "#);
    let plain = format!("[sources.ad]\nkind = \"ldap\"\n{SIGNS_IN}\ngroups = [\"CN=x\"]\n");
    let good = |keys: &str| assert!(parse(&format!("{plain}{keys}{GOOD}")).is_ok(), "{keys}");
    good("urls = [\"ldap://127.0.0.1:389\", \"ldap://[::1]\", \"ldap://localhost\"]");
    good("urls = [\"ldap://dc1.contoso.com\"]\ndanger_plaintext = true");
    good("urls = [\"ldap://dc1.contoso.com\"]\nstart_tls = true");
    good("urls = [\"ldaps://contoso.com\"]\ndiscover = true");
    for url in ["ldap://localhost.contoso.com", "ldap://10.0.0.1", "ldap://127.0.0.1.contoso.com"] {
        assert!(said(&format!("{plain}urls = [\"{url}\"]{GOOD}")).contains("would show the password"), "{url}");
    }
}

#[test]
fn kerberos_is_one_for_the_process_and_only_where_it_is_built_in() {
    let ldap = |name: &str, keys: &str| {
        format!(
            "[sources.{name}]\nkind = \"ldap\"\nauth = \"gssapi\"\ngroups = [\"CN=x\"]\nurls = [\"ldaps://dc1\"]\n{keys}\n"
        )
    };
    let is_built_in = cfg!(feature = "gssapi");
    let one = parse(&format!("{}{GOOD}", ldap("ad", "keytab = \"a\"")));
    assert_eq!(one.is_ok(), is_built_in);
    if let Err(problems) = one {
        assert!(problems.to_string().contains("this rosterd is built without Kerberos"), "{problems}");
    }
    for (keytab, complains) in [("keytab = \"a\"", false), ("keytab = \"b\"", true), ("", true)] {
        let two = parse(&format!("{}{}{GOOD}", ldap("ad", "keytab = \"a\""), ldap("ae", keytab)));
        let told = two.map_or_else(|problems| problems.to_string(), |_| String::new());
        assert_eq!(told.contains("signs in to Kerberos in another way"), complains, "{told}");
    }
    let plain = ldap("ad", "").replace("ldaps://", "ldap://");
    assert!(refused(&format!("{plain}{GOOD}")).contains("auth = \"gssapi\" needs TLS"));
}

#[test]
fn the_place_in_a_filter_and_in_a_name_is_marked() {
    let text = "[sources.ad]\nkind = \"ldap\"\nurls = [\"ldaps://dc1\"]\nbind_dn = \"a\"\nbind_password = {env=\"A\"}\n\
        user_filter = \"(&(objectClass=user)(department=Sales)\"\nbase_dn = \"DC=contoso, com\"\n\
        groups = [\"Domain Users\", { dn = \"CN=a,\" }]\nemail_attributes = [\"e mail\"]\n";
    insta::assert_snapshot!(refused(&format!("{text}{GOOD}")), @r#"
    error: this is not a search filter: it ends where a ) should be
     --> /etc/rosterd/rosterd.toml:6:54
      |
    6 | user_filter = "(&(objectClass=user)(department=Sales)"
      |                                                      ^
      = write it as "(&(objectClass=user)(department=Sales))"

    error: this is not a distinguished name: it lacks a name and `=` such as `CN=`
     --> /etc/rosterd/rosterd.toml:7:24
      |
    7 | base_dn = "DC=contoso, com"
      |                        ^
      = write it as "CN=Staff,OU=Groups,DC=contoso,DC=com"

    error: this is not a distinguished name: it lacks a name and `=` such as `CN=`
     --> /etc/rosterd/rosterd.toml:8:12
      |
    8 | groups = ["Domain Users", { dn = "CN=a," }]
      |            ^
      = write it as "CN=Staff,OU=Groups,DC=contoso,DC=com"

    error: this is not a distinguished name: it ends where a name should follow
     --> /etc/rosterd/rosterd.toml:8:40
      |
    8 | groups = ["Domain Users", { dn = "CN=a," }]
      |                                        ^
      = write it as "CN=Staff,OU=Groups,DC=contoso,DC=com"

    error: `e mail` is not the name of an attribute
     --> /etc/rosterd/rosterd.toml:9:21
      |
    9 | email_attributes = ["e mail"]
      |                     ^^^^^^^^
      = write it as "mail"

    5 problems in the configuration; nothing is done until they are mended
    "#);
}

#[test]
fn missing_keys_point_at_the_header() {
    let text = "[subscriptions.contoso]\ntype = \"Manual\"\n[sources.hr]\nkind = \"csv\"\n";
    insta::assert_snapshot!(refused(text), @r#"
    error: `api_key` is missing here
     --> /etc/rosterd/rosterd.toml:1:1
      |
    1 | [subscriptions.contoso]
      | ^^^^^^^^^^^^^^^^^^^^^^^
      = add api_key = { file = "…" }: The subscription's API key: { file = "…" }, { env = "…" } or { credential = "…" } (systemd); never in place.

    error: `id` is missing here
     --> /etc/rosterd/rosterd.toml:1:1
      |
    1 | [subscriptions.contoso]
      | ^^^^^^^^^^^^^^^^^^^^^^^
      = add id = "…": The subscription's GUID.

    error: `sources` is missing here
     --> /etc/rosterd/rosterd.toml:1:1
      |
    1 | [subscriptions.contoso]
      | ^^^^^^^^^^^^^^^^^^^^^^^
      = add sources = ["…"]: The names of the sources whose people should have a licence.

    error: `path` is missing here
     --> /etc/rosterd/rosterd.toml:3:1
      |
    3 | [sources.hr]
      | ^^^^^^^^^^^^
      = add path = "…": A folder that is watched, or one file.

    4 problems in the configuration; nothing is done until they are mended
    "#);
}

#[test]
fn sources_that_do_not_exist_are_named_with_the_nearest() {
    let with = |sources: &str| said(&GOOD.replace("[\"hr\"]", sources));
    let all = [with("[\"hrr\"]"), with("[\"payroll\"]"), with("[]"), with("\"hr\""), with("[\"hr\", \"hr\"]")];
    insta::assert_snapshot!(all.join("\n"), @r#"
    6: there is no source `hrr`; did you mean `hr`?
    6: there is no source `payroll`; add a table [sources.payroll], or name `hr`
    6: this list is empty; name at least one
    6: expected a list, found a text; write ["…", "…"]
    6: `hr` is here twice; name it once
    "#);
}

#[test]
fn a_line_without_end_is_not_shown_for_each_mistake_in_it() {
    let sources: Vec<String> = (0..1_200).map(|i| format!("\"source{i}\"")).collect();
    let told = refused(&GOOD.replace("\"hr\"", &sources.join(", ")));
    assert_eq!(told.matches("6 | (a line too long to be shown)").count(), 1_200, "{}", &told[..2_000]);
    assert!(told.contains("there is no source `source7`") && told.len() < 400 * 1_200, "{} bytes", told.len());
}

#[test]
fn a_mistake_in_the_syntax_is_reported_alone_with_its_place() {
    insta::assert_snapshot!(refused(&format!("{GOOD}path = \"drops/it\"\nsettle = \"2s\nshedule = 1\n")), @r#"
    error: this key is here twice
      --> /etc/rosterd/rosterd.toml:10:1
       |
    10 | path = "drops/it"
       | ^^^^
       = keep one of the two

    error: this is not TOML: invalid basic string, expected `"`
      --> /etc/rosterd/rosterd.toml:11:13
       |
    11 | settle = "2s
       |             ^
       = write `key = value`, texts in double quotes, lists as ["a", "b"]

    2 problems in the configuration; nothing is done until they are mended
    "#);
}

#[test]
fn an_open_dashboard_needs_a_token() {
    insta::assert_snapshot!(said_each(&["[http]\nlisten = \"[::]:8380\""]), @r#"2: an address that is not loopback needs a token; add token = { file = "web.token" } to [http], or listen on 127.0.0.1"#);
    let config = parse(&format!("[http]\nlisten = \"[::]:8380\"\ntoken = {{ file = \"web.token\" }}{GOOD}")).unwrap();
    assert_eq!(config.http.token, Some(SecretRef::File("/etc/rosterd/web.token".into())));
}

#[test]
fn one_subscription_can_not_be_configured_twice() {
    let twin = GOOD.replace("contoso]", "fabrikam]").split("[sources").next().unwrap().to_owned();
    insta::assert_snapshot!(refused(&format!("{GOOD}{twin}")), @r#"
    error: `contoso` and `fabrikam` are one subscription: they have one id
      --> /etc/rosterd/rosterd.toml:13:6
       |
    13 | id = "ff3d3cf5-5388-40a0-915f-970c1d2d972f"
       |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      --> /etc/rosterd/rosterd.toml:4:6
       |
     4 | id = "ff3d3cf5-5388-40a0-915f-970c1d2d972f"
       |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ the first is here
       = make one of the two, with the sources of both

    1 problem in the configuration; nothing is done until it is mended
    "#);
}

#[test]
fn one_id_in_the_defaults_is_no_better() {
    let text = "[defaults]\nid = \"ff3d3cf5-5388-40a0-915f-970c1d2d972f\"\ntype = \"Manual\"\nsources = [\"hr\"]\n\
                api_key = { env = \"KEY\" }\n[subscriptions.a]\n[subscriptions.b]\n\
                [sources.hr]\nkind = \"csv\"\npath = \"x\"\n";
    assert!(said(text).contains("`a` and `b` are one subscription"));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let problems = parse("x = 1").unwrap_err();
    let coloured = problems.render(true);
    assert!(coloured.contains("\x1b[1;31m"));
    let plain = ["\x1b[1;31m", "\x1b[1;34m", "\x1b[0m"].iter().fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(plain, problems.render(false));
    assert!(!problems.render(false).contains('\x1b'));
}

#[test]
fn a_terminal_is_not_disturbed_by_what_a_file_holds() {
    let shown = refused("\"a\\u001b[2Jb\" = 1\n[log]\nformat = \"\\u001b[2J\"\n");
    assert!(!shown.contains('\x1b'), "{shown:?}");
}

#[test]
fn a_long_line_is_shown_in_part_with_the_caret_in_place() {
    let text = format!("[defaults]\nexclude = [{} \"x\"]\n", "\"*@example.org\", ".repeat(30));
    let shown = refused(&text);
    let lines: Vec<_> = shown.lines().collect();
    let (line, caret) = (lines[3], lines[4]);
    assert!(line.chars().count() < 200);
    let at = caret.find('^').unwrap();
    assert_eq!(line.chars().skip(at).take(3).collect::<String>(), "\"x\"");
}
