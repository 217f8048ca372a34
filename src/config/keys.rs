//! Every key of the configuration, in one list: its name, what it takes, its default and a sentence.
//!
//! The check of a file, the defaults, the JSON Schema and the test of the reference file all read this list, so that
//! none of them can know a key that another does not.

use std::time::Duration;

use super::AlertEvent;

/// One table of the configuration.
#[derive(Debug)]
pub(super) struct Table {
    /// As it is written in a header: `subscriptions.NAME`.
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static [Key]],
}

impl Table {
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().flat_map(|keys| keys.iter())
    }

    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// As TOML.
    pub(super) default: Option<&'static str>,
    pub(super) required: bool,
    pub(super) doc: &'static str,
}

/// What a key takes.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Flag,
    Whole {
        min: u64,
        max: u64,
    },
    /// A number above 0.
    Rate,
    Duration {
        min: Duration,
        max: Duration,
        off: bool,
    },
    /// A number, or a share such as `"20%"`.
    Limit,
    /// The same, or `"off"`.
    LimitOrOff,
    Cron,
    Zone,
    Guid,
    /// Of a group in a directory.
    GroupId,
    Secret,
    /// A secret, or a URL in place.
    SecretUrl,
    Path,
    Word(&'static [&'static str]),
    Words(&'static [&'static str]),
    /// A glob over file names.
    Pattern,
    /// Globs over addresses.
    Globs,
    Address,
    Addresses,
    Domains,
    /// A list of at least one text.
    Texts,
    /// `https`, or `http` for a loopback address.
    WebUrl,
    Proxy,
    LdapUrls,
    SmtpUrl,
    Listen,
    Ledger,
    Delimiter,
    /// Globs of files, relative to the file.
    Include,
    /// One duration, or a table of them.
    Grace(&'static Table),
    Table(&'static Table),
    /// As a table, but nothing in it is required.
    Defaults(&'static Table),
    /// Tables by name.
    Named(&'static Table),
    /// Tables by name, each of a kind.
    NamedKinds(&'static [(&'static str, &'static Table)]),
    /// A list of tables, each of a kind.
    ListKinds(&'static [(&'static str, &'static Table)]),
    /// A distinguished name.
    Dn,
    /// A search filter.
    Filter,
    /// A list of at least one name of an attribute.
    Attributes,
    /// A list of DNs, or tables with one.
    Groups(&'static Table),
}

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, default: None, required: false, doc }
}

impl Key {
    const fn or(mut self, default: &'static str) -> Key {
        self.default = Some(default);
        self
    }

    const fn required(mut self) -> Key {
        self.required = true;
        self
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// A duration from so many milliseconds to so many seconds.
const fn within(min_ms: u64, max_s: u64) -> Kind {
    Kind::Duration { min: Duration::from_millis(min_ms), max: Duration::from_secs(max_s), off: false }
}

const fn within_or_off(min_ms: u64, max_s: u64) -> Kind {
    Kind::Duration { min: Duration::from_millis(min_ms), max: Duration::from_secs(max_s), off: true }
}

pub(super) static ROOT: Table = Table {
    name: "",
    keys: &[&[
        key(
            "include",
            Kind::Include,
            "More files, as globs relative to this file; they hold [subscriptions.NAME] and \
            [sources.NAME] only.",
        )
        .or("[]"),
        key("ledger", Kind::Table(&LEDGER), "The durable record of who has a seat and why."),
        key("log", Kind::Table(&LOG), "What rosterd writes to standard error."),
        key("http", Kind::Table(&HTTP), "The dashboard, the API, metrics and health."),
        key("licensing", Kind::Table(&LICENSING), "The licensing server and how it is asked."),
        key("defaults", Kind::Defaults(&SUBSCRIPTION), "Any key of a subscription, for all that do not say otherwise."),
        key("brake", Kind::Table(&BRAKE), "What stops removals everywhere until a person says `rosterd resume`."),
        key("subscriptions", Kind::Named(&SUBSCRIPTION), "One table for each SecureMailMerge subscription."),
        key("sources", Kind::NamedKinds(SOURCES), "Where rosters come from."),
        key(
            "heartbeat",
            Kind::Table(&HEARTBEAT),
            "An address that is fetched while all is well; its silence is the alarm.",
        ),
        key("alerts", Kind::ListKinds(ALERTS), "Whom to tell when something needs a person."),
    ]],
};

/// The tables that an included file may hold.
pub(super) const INCLUDED: &[&str] = &["subscriptions", "sources"];

static LEDGER: Table = Table {
    name: "ledger",
    keys: &[&[key(
        "url",
        Kind::Ledger,
        "Where the ledger is kept: `sqlite:FILE`. `postgres://user@host/database` is for later versions.",
    )
    .or(r#""sqlite:rosterd.db""#)]],
};

static LOG: Table = Table {
    name: "log",
    keys: &[&[
        key("format", Kind::Word(&["text", "json"]), "The form of log lines: \"text\" or \"json\".").or(r#""text""#),
        key(
            "addresses",
            Kind::Word(&["masked", "clear"]),
            "Whether addresses stand in logs and alerts \"masked\" (j***@contoso.com) or \"clear\".",
        )
        .or(r#""masked""#),
    ]],
};

static HTTP: Table = Table {
    name: "http",
    keys: &[&[
        key("listen", Kind::Listen, "The address and port to listen on; \"off\" for none.").or(r#""127.0.0.1:8380""#),
        key("token", Kind::Secret, "Needed for anything that acts, and for any address that is not loopback."),
        key("cert", Kind::Path, "The certificate in PEM, with those that vouch for it; with it https is spoken."),
        key("key", Kind::Path, "The certificate's key in PEM."),
    ]],
};

static BRAKE: Table = Table {
    name: "brake",
    keys: &[&[
        key(
            "share",
            Kind::LimitOrOff,
            "Removals stop where more subscriptions than this have removals held or sources failing within an hour; or \"off\".",
        )
        .or(r#""20%""#),
        key(
            "at_least",
            Kind::Whole { min: 1, max: 1_000_000 },
            "In fewer subscriptions than this it is never the fleet's trouble.",
        )
        .or("5"),
    ]],
};

static LICENSING: Table = Table {
    name: "licensing",
    keys: &[&[
        key("base_url", Kind::WebUrl, "The licensing server; http:// only for a loopback address.")
            .or(r#""https://licensing.solinventum.com""#),
        key("requests_per_second", Kind::Rate, "The pace for the host, over all subscriptions.").or("5.0"),
        key("burst", Kind::Whole { min: 1, max: 1000 }, "How many requests may leave at once after a pause.").or("5"),
        key(
            "concurrency",
            Kind::Whole { min: 1, max: 256 },
            "Requests in flight at once, never two for one subscription.",
        )
        .or("8"),
        key("timeout", within(100, 10 * MINUTE), "How long to wait for one answer.").or(r#""30s""#),
        key(
            "retry_for",
            within(0, HOUR),
            "How long one run keeps trying one request; what is left then waits for the next run.",
        )
        .or(r#""30s""#),
        key("proxy", Kind::Proxy, "The proxy for requests; without it the environment's (HTTPS_PROXY)."),
        key("ca_file", Kind::Path, "Certificates in PEM that are trusted beside the system's."),
    ]],
};

pub(super) static SUBSCRIPTION: Table = Table {
    name: "subscriptions.NAME",
    keys: &[&[
        key(
            "type",
            Kind::Word(&["Paddle", "Azure", "Manual"]),
            "How the subscription was bought: \"Paddle\", \"Azure\" or \"Manual\".",
        )
        .required(),
        key("id", Kind::Guid, "The subscription's GUID.").required(),
        key(
            "api_key",
            Kind::Secret,
            "The subscription's API key: { file = \"…\" }, { env = \"…\" } or { credential = \"…\" \
            } (systemd); never in place.",
        )
        .required(),
        key("sources", Kind::Texts, "The names of the sources whose people should have a licence.").required(),
        key(
            "schedule",
            Kind::Cron,
            "When to look, beside every change that is seen: cron with five fields, or six \
            with seconds.",
        )
        .or(r#""*/15 * * * *""#),
        key(
            "timezone",
            Kind::Zone,
            "The time zone of the schedule and of dates in rosters, by its IANA name such as \
            \"Europe/Berlin\".",
        )
        .or(r#""UTC""#),
        key("batch_size", Kind::Whole { min: 1, max: 10_000 }, "Addresses in one request.").or("100"),
        key(
            "removal_grace",
            Kind::Grace(&GRACE),
            "How long a leaver keeps the seat, by reason; or one duration for all.",
        )
        .or(r#"{ left = "0s", disabled = "0s", vanished = "24h" }"#),
        key("seat_probe", within(100, 7 * DAY), "How often a full subscription is asked again for a waiting member.")
            .or(r#""15m""#),
        key(
            "reassert",
            within_or_off(1000, YEAR),
            "Send each known assignment again once in this period, such as \"7d\": what somebody took away comes back; \"off\" for never.",
        )
        .or(r#""off""#),
        key(
            "exclude",
            Kind::Globs,
            "Globs over addresses that are never given a seat, such as \"*@example.org\" or \"svc-*\".",
        )
        .or("[]"),
        key("protect", Kind::Globs, "Globs over addresses that are never unassigned, such as \"ceo@contoso.com\".")
            .or("[]"),
        key(
            "domains",
            Kind::Domains,
            "When given, addresses in other domains are quarantined: another client's file \
            does no harm.",
        )
        .or("[]"),
        key("guard", Kind::Table(&GUARD), "What holds removals until a person has approved them."),
    ]],
};

pub(super) static GRACE: Table = Table {
    name: "removal_grace",
    keys: &[&[
        key("left", within(0, 10 * YEAR), "For one who is no longer in the group or file.").or(r#""0s""#),
        key("disabled", within(0, 10 * YEAR), "For one whose account is disabled.").or(r#""0s""#),
        key("vanished", within(0, 10 * YEAR), "For one whose entry can't be found any more.").or(r#""24h""#),
    ]],
};

pub(super) static GUARD: Table = Table {
    name: "guard",
    keys: &[&[
        key(
            "max_removals",
            Kind::Limit,
            "Removals in one run: a share of the assigned, or a number; more are held for approval.",
        )
        .or(r#""20%""#),
        key("max_removals_per_day", Kind::Limit, "Removals over any 24 hours, so that a slow leak is seen too.")
            .or(r#""30%""#),
        key(
            "always_allow",
            Kind::Whole { min: 0, max: 1_000_000 },
            "Removals this few are never held by the two limits above.",
        )
        .or("5"),
        key(
            "hold_after_change",
            Kind::Flag,
            "Whether removals that follow a change of what is looked at wait for approval, however few.",
        )
        .or("true"),
        key("approval_expires", within(1000, YEAR), "How long an approval is good for.").or(r#""24h""#),
    ]],
};

pub(super) const SOURCES: &[(&str, &Table)] = &[("csv", &CSV), ("ldap", &LDAP)];

const ANY_SOURCE: &[Key] = &[
    key("allow_empty", Kind::Flag, "Whether a roster that turns empty is believed.").or("false"),
    key("must_include", Kind::Addresses, "Canaries: a reading without these addresses is not believed.").or("[]"),
    key(
        "max_age",
        within_or_off(1000, YEAR),
        "Alert when nothing new has come for so long, such as \"3d\"; \"off\" for never.",
    )
    .or(r#""off""#),
];

pub(super) static CSV: Table = Table {
    name: "sources.NAME",
    keys: &[
        &[
            key("kind", Kind::Word(&["csv"]), "What kind of source this is: \"csv\" or \"ldap\".").required(),
            key("path", Kind::Path, "A folder that is watched, or one file.").required(),
            key("pattern", Kind::Pattern, "Which files in the folder count.").or(r#""*.csv""#),
            key(
                "mode",
                Kind::Word(&["snapshot", "delta"]),
                "\"snapshot\": each file is the whole roster; \"delta\": rows add and remove.",
            )
            .or(r#""snapshot""#),
            key("settle", within(0, HOUR), "A file is read when its size and time have stood still this long.")
                .or(r#""2s""#),
            key(
                "watch",
                Kind::Word(&["auto", "native", "poll"]),
                "\"auto\": native events, polling on network shares; or always \"native\" or \"poll\".",
            )
            .or(r#""auto""#),
            key("poll_interval", within(100, DAY), "How often to look when polling.").or(r#""30s""#),
            key(
                "after",
                Kind::Word(&["archive", "leave", "delete"]),
                "What becomes of a file that was read: \"archive\" (into processed/ or rejected/), \
            \"leave\" or \"delete\".",
            )
            .or(r#""archive""#),
            key(
                "max_bad_rows",
                Kind::Limit,
                "More bad rows than this (and more than 3) and the file is rejected whole.",
            )
            .or(r#""5%""#),
            key(
                "encoding",
                Kind::Word(&["auto", "utf-8", "utf-16", "windows-1252"]),
                "\"auto\", \"utf-8\", \"utf-16\" or \"windows-1252\".",
            )
            .or(r#""auto""#),
            key("delimiter", Kind::Delimiter, "\"auto\", \",\", \";\", \"|\" or \"tab\".").or(r#""auto""#),
            key(
                "columns",
                Kind::Table(&COLUMNS),
                "The names of the columns; one that is left out has the common names, in any case.",
            ),
        ],
        ANY_SOURCE,
    ],
};

pub(super) static COLUMNS: Table = Table {
    name: "columns",
    keys: &[&[
        key("email", Kind::Text, "The address."),
        key("id", Kind::Text, "What names a person whatever the address."),
        key("action", Kind::Text, "What a row of a delta does: add or remove."),
        key("priority", Kind::Text, "A number; lower is served first, 100 where none is given."),
        key("start", Kind::Text, "The first day with a licence."),
        key("end", Kind::Text, "The day on which the licence ends."),
        key("subscription", Kind::Text, "The one subscription that a row is for."),
    ]],
};

pub(super) static LDAP: Table = Table {
    name: "sources.NAME",
    keys: &[
        &[
            key("kind", Kind::Word(&["ldap"]), "What kind of source this is: \"csv\" or \"ldap\".").required(),
            key("urls", Kind::LdapUrls, "The servers, tried in turn: ldaps://, or ldap:// with start_tls.").required(),
            key(
                "auth",
                Kind::Word(&["simple", "external", "gssapi"]),
                "\"simple\", \"external\" (client certificate) or \"gssapi\".",
            )
            .or(r#""simple""#),
            key("bind_dn", Kind::Text, "Who binds, for \"simple\": a DN, or for Active Directory user@realm."),
            key(
                "bind_password",
                Kind::Secret,
                "The password of bind_dn: { file = \"…\" }, { env = \"…\" } or { credential = \"…\" }.",
            ),
            key("start_tls", Kind::Flag, "Whether an ldap:// connection turns to TLS before anything is said.")
                .or("false"),
            key("ca_file", Kind::Path, "Certificates in PEM that are trusted beside the system's."),
            key(
                "flavor",
                Kind::Word(&["auto", "active-directory", "rfc2307", "rfc2307bis"]),
                "The kind of directory: \"auto\" asks its root DSE; or \"active-directory\", \
            \"rfc2307\", \"rfc2307bis\".",
            )
            .or(r#""auto""#),
            key("base_dn", Kind::Dn, "Where searches begin."),
            key(
                "groups",
                Kind::Groups(&GROUP),
                "Groups whose members should have a licence: DNs, or tables with dn, priority and \
            subscription.",
            ),
            key(
                "user_filter",
                Kind::Filter,
                "Whom of the groups' members it lets in; without groups, of everybody below base_dn.",
            ),
            key("nested", Kind::Flag, "Whether members of groups in a group count.").or("true"),
            key("include_disabled", Kind::Flag, "Whether disabled and expired accounts keep a licence.").or("false"),
            key(
                "email_attributes",
                Kind::Attributes,
                "Where the address is found: the first attribute that has a value.",
            )
            .or(r#"["mail", "proxyAddresses", "userPrincipalName"]"#),
            key("page_size", Kind::Whole { min: 1, max: 100_000 }, "Entries in one page.").or("500"),
            key("connect_timeout", within(100, 10 * MINUTE), "For connecting, TLS and bind.").or(r#""10s""#),
            key("page_timeout", within(100, HOUR), "For one page, or one group's values.").or(r#""60s""#),
            key("read_timeout", within(100, DAY), "For the whole reading.").or(r#""15m""#),
            key("client_cert", Kind::Path, "The client certificate in PEM, for \"external\"."),
            key("client_key", Kind::Path, "The client certificate's key in PEM, for \"external\"."),
            key("keytab", Kind::Path, "The keytab for \"gssapi\", one for all sources; without it the credential cache."),
            key(
                "discover",
                Kind::Flag,
                "Whether ldaps://contoso.com stands for the domain, whose servers DNS names (SRV); each of them has to be \
            within the domain.",
            )
            .or("false"),
            key("danger_plaintext", Kind::Flag, "Allows ldap:// without StartTLS to an address that is not loopback.")
                .or("false"),
            key("schedule", Kind::Cron, "When to read the directory: cron with five fields, or six with seconds.")
                .or(r#""*/5 * * * *""#),
            key(
                "push",
                Kind::Word(&["auto", "off"]),
                "\"auto\": listen for changes where the server offers it, which `rosterd status` tells; or \"off\".",
            )
            .or(r#""auto""#),
        ],
        ANY_SOURCE,
    ],
};

pub(super) static GROUP: Table = Table {
    name: "groups",
    keys: &[&[
        key("dn", Kind::Dn, "The group's distinguished name.").required(),
        key("priority", Kind::Whole { min: 0, max: 1_000_000 }, "Lower is served first.").or("100"),
        key("subscription", Kind::Text, "The one subscription that the group is for."),
        key(
            "id",
            Kind::GroupId,
            "Its objectGUID or entryUUID; without it, that of the group that is first seen under the name.",
        ),
    ]],
};

static HEARTBEAT: Table = Table {
    name: "heartbeat",
    keys: &[&[
        key(
            "url",
            Kind::SecretUrl,
            "Fetched after each round in which every subscription was looked after: { file | env | \
            credential = \"…\" }, or in place.",
        )
        .required(),
        key("every", within(1000, DAY), "The period.").or(r#""5m""#),
    ]],
};

pub(super) const ALERTS: &[(&str, &Table)] =
    &[("smtp", &SMTP), ("slack", &SLACK), ("teams", &TEAMS), ("webhook", &WEBHOOK), ("command", &COMMAND)];

const ANY_ALERT: &[Key] = &[
    key("ca_file", Kind::Path, "Certificates in PEM that are trusted beside the system's."),
    key("events", Kind::Words(EVENTS), "Which events are told; all without it."),
    key("remind_every", within(1000, YEAR), "How often to remind while nothing has changed.").or(r#""24h""#),
];

const EVENTS: &[&str] = &{
    let mut words = [""; AlertEvent::ALL.len()];
    let mut place = 0;
    while place < words.len() {
        words[place] = AlertEvent::ALL[place].word();
        place += 1;
    }
    words
};

const ALERT_KIND: &str = "How to tell: \"smtp\", \"slack\", \"teams\", \"webhook\" or \"command\".";

static SMTP: Table = Table {
    name: "alerts",
    keys: &[
        &[
            key("kind", Kind::Word(&["smtp"]), ALERT_KIND).required(),
            key("to", Kind::Addresses, "Who gets the message.").required(),
            key("from", Kind::Address, "The sender's address.").required(),
            key(
                "server",
                Kind::SmtpUrl,
                "The mail server: smtp://host:587 (StartTLS, except to this machine) or smtps://host:465.",
            )
            .required(),
            key("username", Kind::Text, "The name for the mail server, with password."),
            key("password", Kind::Secret, "The password for the mail server."),
        ],
        ANY_ALERT,
    ],
};

static SLACK: Table = Table {
    name: "alerts",
    keys: &[&[key("kind", Kind::Word(&["slack"]), ALERT_KIND).required(), CHAT_URL], ANY_ALERT],
};

static TEAMS: Table = Table {
    name: "alerts",
    keys: &[&[key("kind", Kind::Word(&["teams"]), ALERT_KIND).required(), CHAT_URL], ANY_ALERT],
};

const CHAT_URL: Key =
    key("url", Kind::SecretUrl, "The webhook's address: { file | env | credential = \"…\" }, or in place.").required();

static WEBHOOK: Table = Table {
    name: "alerts",
    keys: &[
        &[
            key("kind", Kind::Word(&["webhook"]), ALERT_KIND).required(),
            CHAT_URL,
            key("secret", Kind::Secret, "Signs each message as Standard Webhooks has it (whsec_…)."),
        ],
        ANY_ALERT,
    ],
};

static COMMAND: Table = Table {
    name: "alerts",
    keys: &[
        &[
            key("kind", Kind::Word(&["command"]), ALERT_KIND).required(),
            key("command", Kind::Texts, "A program and its arguments; it gets the alert as JSON on standard input. A path is relative to this file.")
                .required(),
        ],
        ANY_ALERT,
    ],
};

/// Every table, each once.
pub(super) fn tables() -> Vec<&'static Table> {
    let fixed =
        [&ROOT, &LEDGER, &LOG, &HTTP, &LICENSING, &BRAKE, &SUBSCRIPTION, &GRACE, &GUARD, &COLUMNS, &GROUP, &HEARTBEAT];
    let kinds = SOURCES.iter().chain(ALERTS).map(|(_, table)| *table);
    fixed.into_iter().chain(kinds).collect()
}
