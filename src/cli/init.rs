//! `rosterd init`.
//!
//! What it is told is tried as it goes, with the same code as `rosterd check`: the key before anything is asked about the
//! source, and the source before anything is written. It writes new files only. Where there is a configuration that
//! includes others, a subscription gets a file of its own beside it.

mod ask;
mod draft;
mod files;

use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use uuid::Uuid;

use self::ask::{Asker, Next, say};
use self::draft::{Directory, Draft, People};
use self::files::{New, Place};
use super::check::{Finding, ill, try_key, try_sources};
use super::context::{Context, runtime, world};
use super::failure::Failure;
use crate::config::{self, Config, SubscriptionType};
use crate::exit::ExitStatus;
use crate::ledger::Ledger;

/// Write a configuration from a few questions, trying each answer
///
/// Asks on a terminal for whatever no flag says. Keys and passwords are typed unseen, or are in a file already; they
/// never stand on the command line. Nothing is overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rosterd init
  rosterd init --yes --name contoso --type Paddle --id ff3d3cf5-5388-40a0-915f-970c1d2d972f \\
    --api-key-file contoso.key --csv /var/lib/rosterd/drops

Where the configuration exists and includes others (include = [\"clients/*.toml\"]), the
subscription gets a file of its own there.")]
pub(super) struct InitArgs {
    /// A short name for the subscription, such as contoso
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// How it was bought: Paddle, Azure or Manual
    #[arg(long = "type", value_name = "TYPE", value_parser = draft::kind)]
    pub(super) kind: Option<SubscriptionType>,
    /// The subscription's GUID
    #[arg(long, value_name = "GUID")]
    pub(super) id: Option<Uuid>,
    /// A file that holds the API key, and nothing else
    #[arg(long, value_name = "FILE")]
    pub(super) api_key_file: Option<PathBuf>,
    /// The roster is a CSV in this folder
    #[arg(long, value_name = "FOLDER")]
    pub(super) csv: Option<PathBuf>,
    /// The roster is in a directory: `ldaps://SERVER`; more than one are tried in turn
    #[arg(long, value_name = "URL", conflicts_with = "csv")]
    pub(super) ldap: Vec<String>,
    /// Who rosterd is to the directory: a DN, or user@realm
    #[arg(long, value_name = "NAME", requires = "ldap")]
    pub(super) bind_dn: Option<String>,
    /// A file that holds the directory's password, and nothing else
    #[arg(long, value_name = "FILE", requires = "ldap")]
    pub(super) bind_password_file: Option<PathBuf>,
    /// A group whose members should have a licence, by its DN; more than one count together
    #[arg(long, value_name = "DN", requires = "ldap")]
    pub(super) group: Vec<String>,
    /// Certificates in PEM that the directory's is checked by, beside the system's
    #[arg(long, value_name = "FILE", requires = "ldap")]
    pub(super) ca_file: Option<PathBuf>,
    /// Turn an ldap:// connection to TLS before anything is said
    #[arg(long, requires = "ldap")]
    pub(super) start_tls: bool,
    /// The time zone of dates and schedules [default: the system's]
    #[arg(long, value_name = "ZONE")]
    pub(super) timezone: Option<Tz>,
    /// The licensing server, to try things on a sandbox [default: the real one]
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// Ask nothing: take the defaults, and make a folder that is missing
    #[arg(long)]
    pub(super) yes: bool,
    /// Write it also where something that was tried did not work
    #[arg(long)]
    pub(super) anyway: bool,
}

pub(super) fn run(args: &InitArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let place = Place::find(context.config_path().as_deref())?;
    one_server(args, &place)?;
    let mut asker = Asker::new(args.yes, args.anyway);
    if !asker.can_ask() {
        nothing_missing(args)?;
    }
    let mut new = New::default();
    new.goes_away_on_ctrl_c()?;
    let mut draft = Draft::new(args, &place);
    say(&format!("This writes {}. Ctrl-C ends it, and nothing is written.", place.shown()));
    identity(&mut draft, args, &place, &mut asker, &mut new)?;
    source(&mut draft, args, &place, &mut asker, &mut new)?;
    let (path, text) = place.write(&draft)?;
    new.write(&path, &text, 0o640)?;
    let clients = place.folder().join("clients");
    if !clients.exists() {
        new.make_folder(&clients)?;
    }
    if let Err(problems) = config::load(place.main()) {
        return Err(Failure::of_configuration(&problems));
    }
    new.give_to_service(&draft.ledger_folder(&place), &path);
    let state = draft.ledger_folder(&place);
    let unreadable = files::unreadable_for_service(&state, &draft.files());
    let written = new.keep();
    say(&next_steps(&written, &unreadable, &draft, &place));
    Ok(ExitStatus::Done)
}

/// There is one licensing server for all: what is configured already stays.
fn one_server(args: &InitArgs, place: &Place) -> Result<(), Failure> {
    let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
    match (&args.base_url, place.base_url()) {
        (Some(said), Some(there)) if trimmed(said) != trimmed(&there) => Err(Failure::usage(format!(
            "{} has the licensing server {there}, for all subscriptions",
            place.main().display()
        ))
        .hint("leave out --base-url, or change base_url in [licensing] there")),
        _ => Ok(()),
    }
}

/// Without a terminal every answer has to be there.
fn nothing_missing(args: &InitArgs) -> Result<(), Failure> {
    let ldap = !args.ldap.is_empty();
    let needed = [
        ("--name", args.name.is_some()),
        ("--type", args.kind.is_some()),
        ("--id", args.id.is_some()),
        ("--api-key-file", args.api_key_file.is_some()),
        ("--csv or --ldap", args.csv.is_some() || ldap),
        ("--bind-dn", !ldap || args.bind_dn.is_some()),
        ("--bind-password-file", !ldap || args.bind_password_file.is_some()),
        ("--group", !ldap || !args.group.is_empty()),
    ];
    let missing: Vec<&str> = needed.into_iter().filter(|(_, there)| !there).map(|(flag, _)| flag).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let why = if args.yes { "--yes asks nothing" } else { "there is no terminal to ask on" };
    Err(Failure::usage(format!("{why}, and something is not said; nothing was written"))
        .hint(format!("give {} too", missing.join(", "))))
}

/// Name, type, id and key, until the licensing server accepts them or a person goes on all the same.
fn identity(
    draft: &mut Draft,
    args: &InitArgs,
    place: &Place,
    asker: &mut Asker,
    new: &mut New,
) -> Result<(), Failure> {
    let is_new = |text: &str| {
        let name = draft::name(text)?;
        if place.has(&name) { Err(format!("{name} is there already")) } else { Ok(name) }
    };
    let said = args.name.as_deref().map(is_new).transpose().map_err(Failure::usage)?;
    draft.name = asker.value(said, "A short name for the subscription, such as contoso", None, is_new)?;
    let (mut kind, mut id, mut key) = (args.kind, args.id, args.api_key_file.clone());
    loop {
        draft.kind = asker.value(kind.take(), "How was it bought (Paddle, Azure or Manual)", None, draft::kind)?;
        draft.id = asker.value(id.take(), "The subscription's GUID", None, |text| {
            Uuid::try_parse(text).map_err(|_| "a GUID looks like ff3d3cf5-5388-40a0-915f-970c1d2d972f".to_owned())
        })?;
        draft.api_key = secret(
            key.take(),
            ("The API key (it is not shown)", no_key),
            &place.beside(&draft.name, "key"),
            asker,
            new,
        )?;
        if settle(asker, &try_it(draft, place, Part::Key))? {
            return Ok(());
        }
    }
}

/// A folder or a directory, until it can be read or a person goes on all the same.
fn source(draft: &mut Draft, args: &InitArgs, place: &Place, asker: &mut Asker, new: &mut New) -> Result<(), Failure> {
    let said = match (&args.csv, args.ldap.is_empty()) {
        (Some(_), _) => Some(true),
        (None, false) => Some(false),
        (None, true) => None,
    };
    let is_csv = asker.value(
        said,
        "Where is the list of people (csv: files in a folder, ldap: a directory)",
        Some("csv"),
        |text| match text.to_lowercase().as_str() {
            "csv" => Ok(true),
            "ldap" | "directory" => Ok(false),
            _ => Err("write csv or ldap".to_owned()),
        },
    )?;
    draft.timezone = match args.timezone {
        Some(zone) => zone,
        None => asker.value(None, "The time zone of dates and schedules", Some(&files::system_zone()), |text| {
            text.parse().map_err(|_| format!("there is no time zone {text}; write a name such as Europe/Berlin"))
        })?,
    };
    if is_csv { folder(draft, args, place, asker, new) } else { directory(draft, args, place, asker, new) }
}

fn folder(draft: &mut Draft, args: &InitArgs, place: &Place, asker: &mut Asker, new: &mut New) -> Result<(), Failure> {
    let mut flag = args.csv.clone();
    loop {
        let usual = place.drops();
        let path = asker.value(flag.take(), "The folder into which CSV files are dropped", Some(&usual), |text| {
            Ok(PathBuf::from(text))
        })?;
        let path = std::path::absolute(&path).unwrap_or(path);
        if !path.exists() && asker.agrees(&format!("{} is not there. Make it?", path.display()))? {
            new.make_folder(&path)?;
        }
        draft.source = People::Csv(path.clone());
        let tried = match std::fs::read_dir(&path) {
            Err(cause) if !path.is_file() => vec![ill(path.display().to_string(), format!("can't be read: {cause}"))],
            _ => try_it(draft, place, Part::Source),
        };
        if settle(asker, &tried)? {
            return Ok(());
        }
    }
}

fn directory(
    draft: &mut Draft,
    args: &InitArgs,
    place: &Place,
    asker: &mut Asker,
    new: &mut New,
) -> Result<(), Failure> {
    let (mut urls, mut groups) = (args.ldap.clone(), args.group.clone());
    let (mut bind_dn, mut password) = (args.bind_dn.clone(), args.bind_password_file.clone());
    let mut ca_file = args.ca_file.clone();
    loop {
        let one = |list: &mut Vec<String>| if list.is_empty() { None } else { Some(std::mem::take(list)) };
        let list = |text: &str| Ok(text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let urls =
            asker.value(one(&mut urls), "The directory's servers, such as ldaps://dc1.contoso.com", None, list)?;
        let question = "Who rosterd is there: a DN, or user@realm";
        let bind_dn = asker.value(bind_dn.take(), question, None, |text| Ok(text.to_owned()))?;
        let file = place.beside(&draft.name, "password");
        let password = secret(password.take(), ("The password (it is not shown)", |_| None), &file, asker, new)?;
        let question = "A group whose members should have a licence, by its DN (several: with | between them)";
        let groups = asker.value(one(&mut groups), question, None, |text| {
            Ok(text.split('|').map(|group| group.trim().to_owned()).collect())
        })?;
        let ca_file = match ca_file.take() {
            Some(file) => Some(file),
            None => asker.value(None, "Its own certificate authority in PEM, a file", Some("none"), |text| {
                Ok(Some(text).filter(|text| *text != "none").map(PathBuf::from))
            })?,
        };
        let ca_file = ca_file.map(|file| std::path::absolute(&file).unwrap_or(file));
        let start_tls = args.start_tls;
        draft.source = People::Directory(Directory { urls, bind_dn, password, groups, ca_file, start_tls });
        if settle(asker, &try_it(draft, place, Part::Source))? {
            return Ok(());
        }
    }
}

/// What is wrong with a key at first sight.
fn no_key(text: &str) -> Option<&'static str> {
    (!config::is_guid(text)).then_some("an API key looks like a GUID: ff3d3cf5-5388-40a0-915f-970c1d2d972f")
}

/// A secret's file: the one that was named, or one that lies where it would be written, or a new one with what is typed.
fn secret(
    flag: Option<PathBuf>,
    (question, wrong): (&str, fn(&str) -> Option<&'static str>),
    file: &Path,
    asker: &mut Asker,
    new: &mut New,
) -> Result<PathBuf, Failure> {
    if let Some(file) = flag {
        return Ok(std::path::absolute(&file).unwrap_or(file));
    }
    if file.exists() && !new.has(file) {
        say(&format!("{} is there already, and is used.", file.display()));
        return Ok(file.to_owned());
    }
    let typed = asker.secret(question, wrong)?;
    new.write_secret(file, &typed)?;
    Ok(file.to_owned())
}

/// Shows what was tried. Whether to go on; where not, what was said is asked again.
fn settle(asker: &mut Asker, tried: &[Finding]) -> Result<bool, Failure> {
    for finding in tried {
        say(&finding.shown());
    }
    if tried.iter().all(|finding| finding.ok) {
        return Ok(true);
    }
    match asker.what_next()? {
        Next::GoOn => Ok(true),
        Next::Again => Ok(false),
    }
}

/// What of a draft is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Key,
    Source,
}

/// Tries a part of what would be written, and changes nothing.
fn try_it(draft: &Draft, place: &Place, part: Part) -> Vec<Finding> {
    let name = draft.name.clone();
    let tried = place.preview(draft).and_then(|config| try_config(config, &name, part));
    tried.unwrap_or_else(|failure| vec![ill(draft.name.clone(), failure.message)])
}

fn try_config(mut config: Config, name: &str, part: Part) -> Result<Vec<Finding>, Failure> {
    // What else is configured is not asked about.
    config.subscriptions.retain(|other, _| other == name);
    let wanted = config.subscriptions.get(name).map(|it| it.sources.clone()).unwrap_or_default();
    config.sources.retain(|other, _| wanted.contains(other));
    let world = world(config, Ledger::scratch(Path::new(""))?)?;
    runtime()?.block_on(async {
        match (part, world.config.subscriptions.get(name)) {
            (Part::Source, _) => try_sources(&world).await,
            (Part::Key, Some(subscription)) => Ok(vec![try_key(&world, subscription).await]),
            (Part::Key, None) => Ok(Vec::new()),
        }
    })
}

fn next_steps(written: &[PathBuf], unreadable: &[String], draft: &Draft, place: &Place) -> String {
    let files: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    let config = if place.is_usual() { String::new() } else { format!(" --config {}", place.main().display()) };
    let feed = match &draft.source {
        People::Csv(folder) if place.is_beyond_service(folder) => format!(
            "  systemctl edit rosterd, with the lines [Service] and ReadWritePaths={0}    lets the service work there\n  \
             put a CSV with a column email into {0}\n",
            folder.display()
        ),
        People::Csv(folder) => format!("  put a CSV with a column email into {}\n", folder.display()),
        People::Directory(_) => String::new(),
    };
    let rights = unreadable
        .iter()
        .fold(String::new(), |rights, command| format!("{rights}  {command}    lets the service read it\n"));
    let service = if place.is_usual() { "systemctl enable --now rosterd" } else { "rosterd run" };
    let service = if place.is_usual() { service.to_owned() } else { format!("{service}{config}") };
    format!(
        "Written: {}\n\nNext:\n{rights}{feed}  rosterd plan{config}    shows what would be done; nothing is changed\n  {service}    does it, from then on",
        files.join(", ")
    )
}
