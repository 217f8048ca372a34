//! Real files: includes, paths, permissions.

use std::fs;
use std::path::Path;

use super::super::*;
use super::GOOD;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load_in(folder: &tempfile::TempDir) -> Result<Config, Problems> {
    load(&folder.path().join("rosterd.toml"))
}

/// What is said, with the folder's name left out.
fn refused(folder: &tempfile::TempDir) -> String {
    let problems = load_in(folder).map(|_| ()).unwrap_err();
    problems.to_string().replace(&format!("{}/", folder.path().display()), "")
}

fn client(name: &str, id: u8) -> String {
    format!(
        "[subscriptions.{name}]\ntype = \"Manual\"\nid = \"ff3d3cf5-5388-40a0-915f-0000000000{id:02}\"\n\
         api_key = {{ file = \"{name}.key\" }}\nsources = [\"{name}\"]\n\
         [sources.{name}]\nkind = \"csv\"\npath = \"drops\"\npattern = \"{name}-*.csv\"\n"
    )
}

#[test]
fn included_files_add_clients_with_paths_of_their_own() {
    let text = format!("include = [\"clients/*.toml\", \"clients/a.toml\"]\n[defaults]\nbatch_size = 7\n{GOOD}");
    let files = [
        ("rosterd.toml", text.as_str()),
        ("clients/a.toml", &client("a", 1)),
        ("clients/b.toml", &client("b", 2)),
        ("clients/.b.toml.swp.toml", "this is an editor's"),
        ("clients/notes.txt", "this is not for rosterd"),
    ];
    let folder = folder(&files);
    let config = load_in(&folder).unwrap();
    let names: Vec<_> = config.subscriptions.keys().collect();
    assert_eq!(names, ["a", "b", "contoso"]);
    assert_eq!(config.files.len(), 3);
    assert_eq!(config.files[1], folder.path().join("clients/a.toml"));
    assert_eq!(config.subscriptions["b"].batch_size.get(), 7);
    assert_eq!(config.subscriptions["b"].api_key, SecretRef::File(folder.path().join("clients/b.key")));
    let SourceKind::Csv(csv) = &config.sources["a"].kind else { panic!() };
    assert_eq!(csv.path, folder.path().join("clients/drops"));
    assert_eq!(config.ledger, LedgerUrl::Sqlite(folder.path().join("rosterd.db")));
}

#[test]
fn mistakes_in_all_files_are_shown_at_once_and_doubles_with_both_places() {
    let text = format!("include = [\"clients/*.toml\"]\n[log]\nformat = 1\n{GOOD}");
    let double = format!("{}\n[http]\nlisten = \"off\"\n", client("contoso", 1));
    let folder = folder(&[
        ("rosterd.toml", &text),
        ("clients/a.toml", &double),
        ("clients/b.toml", "[subscriptions.b\n"),
        ("clients/c.toml", &client("c", 3).replace("\"c\"]", "\"d\"]")),
    ]);
    insta::assert_snapshot!(refused(&folder), @r#"
    error: expected a text, found a number
     --> rosterd.toml:3:10
      |
    3 | format = 1
      |          ^
      = write "text" or "json"

    error: [subscriptions.contoso] is there twice
     --> clients/a.toml:1:1
      |
    1 | [subscriptions.contoso]
      | ^^^^^^^^^^^^^^^^^^^^^^^
     --> rosterd.toml:5:1
      |
    5 | [subscriptions.contoso]
      | ^^^^^^^^^^^^^^^^^^^^^^^ the first is here
      = give one of the two another name

    error: an included file can't hold `http`
      --> clients/a.toml:11:2
       |
    11 | [http]
       |  ^^^^
       = move it to the main file; an included one holds [subscriptions.NAME] and [sources.NAME]

    error: this is not TOML: unclosed table, expected `]`
     --> clients/b.toml:1:17
      |
    1 | […
      |   ^
      = write `key = value`, texts in double quotes, lists as ["a", "b"]

    4 problems in the configuration; nothing is done until they are mended
    "#);
}

#[test]
fn clients_whose_folder_or_file_can_not_be_read_are_not_forgotten() {
    let absent = load_in(&folder(&[("rosterd.toml", &format!("include = [\"clients/*.toml\"]{GOOD}"))])).unwrap();
    assert!(absent.warnings[0].contains("matches no file"), "{:?}", absent.warnings);
    assert!(refused(&folder(&[("rosterd.toml", &format!("include = [\"x.toml\"]{GOOD}"))])).contains("--> x.toml"));
    // No folder, where nobody's right is asked.
    let file = folder(&[("rosterd.toml", &format!("include = [\"clients/*.toml\"]{GOOD}")), ("clients", "")]);
    assert!(refused(&file).contains("the folder clients can't be read"));
    let clients = folder(&[("rosterd.toml", &format!("include = [\"clients/*.toml\"]{GOOD}")), ("clients/x.txt", "")]);
    assert_eq!(load_in(&clients).unwrap().warnings, [""; 0], "the folder is there for clients to come");
    std::os::unix::fs::symlink("nowhere.toml", clients.path().join("clients/a.toml")).unwrap();
    assert!(refused(&clients).contains("clients/a.toml"), "a link that leads nowhere is a file that is gone");
}

#[test]
fn a_pattern_that_can_not_be_is_an_error() {
    let text = format!("include = [\"**/*.toml\", \"[.toml\", \"*.toml\"]{GOOD}");
    insta::assert_snapshot!(refused(&folder(&[("rosterd.toml", &text)])), @r#"
    error: `**` is not understood here; name each folder, as in "clients/*/*.toml"
     --> rosterd.toml:1:12
      |
    1 | include = ["**/*.toml", "[.toml", "*.toml"]
      |            ^^^^^^^^^^^
      = write globs relative to this file, such as "clients/*.toml"

    error: unclosed character class; missing ']'
     --> rosterd.toml:1:25
      |
    1 | include = ["**/*.toml", "[.toml", "*.toml"]
      |                         ^^^^^^^^
      = write globs relative to this file, such as "clients/*.toml"

    2 problems in the configuration; nothing is done until they are mended
    "#);
}

#[test]
fn a_configuration_that_can_not_be_read_is_an_error() {
    let empty = folder(&[]);
    insta::assert_snapshot!(refused(&empty), @"
    error: this file is not there
     --> rosterd.toml
      = write it, or name another one with --config

    1 problem in the configuration; nothing is done until it is mended
    ");
    let folder = folder(&[]);
    fs::write(folder.path().join("rosterd.toml"), b"[log]\n# M\xfcller\n").unwrap();
    insta::assert_snapshot!(refused(&folder), @"
    error: this file is not UTF-8 in line 2
     --> rosterd.toml
      = save it as UTF-8 in an editor

    1 problem in the configuration; nothing is done until it is mended
    ");
    fs::remove_file(folder.path().join("rosterd.toml")).unwrap();
    fs::create_dir(folder.path().join("rosterd.toml")).unwrap();
    assert!(refused(&folder).contains("can't be read"));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert!(load_in(&folder(&[("rosterd.toml", &text)])).is_ok());
    let wrong = format!("{text}settle = 2\r\n");
    assert!(refused(&folder(&[("rosterd.toml", &wrong)])).contains(" | settle = 2\n"));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder(&[("rosterd.toml", GOOD), ("contoso.key", "x")]);
    let mode = |file: &str, mode| {
        fs::set_permissions(folder.path().join(file), fs::Permissions::from_mode(mode)).unwrap();
        load_in(&folder).unwrap().warnings
    };
    mode("rosterd.toml", 0o644);
    assert_eq!(mode("contoso.key", 0o600), [""; 0]);
    let warnings = mode("contoso.key", 0o644);
    assert!(warnings.len() == 1 && warnings[0].contains("contoso.key has the mode 644"), "{warnings:?}");
    mode("contoso.key", 0o600);
    assert_eq!(mode("rosterd.toml", 0o666).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_client_key_that_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let keys = "[sources.ad]\nkind = \"ldap\"\nurls = [\"ldaps://dc1\"]\nauth = \"external\"\ngroups = [\"CN=a\"]\n\
                client_cert = \"ad.pem\"\nclient_key = \"ad.key\"\n";
    let text = format!("{}{keys}", GOOD.replace("[\"hr\"]", "[\"hr\", \"ad\"]"));
    let folder = folder(&[("rosterd.toml", &text), ("ad.pem", "x"), ("ad.key", "x")]);
    let mode = |file: &str, mode| {
        fs::set_permissions(folder.path().join(file), fs::Permissions::from_mode(mode)).unwrap();
        load_in(&folder).unwrap().warnings
    };
    mode("rosterd.toml", 0o644);
    mode("ad.pem", 0o644);
    assert_eq!(mode("ad.key", 0o600), [""; 0], "a certificate is no secret");
    let warnings = mode("ad.key", 0o640);
    assert!(warnings.len() == 1 && warnings[0].contains("the client key of `ad`"), "{warnings:?}");
}

#[test]
fn a_missing_configuration_says_where_it_was_looked_for() {
    assert_eq!(find(Some(Path::new("/nowhere/x.toml"))).unwrap(), Path::new("/nowhere/x.toml"));
    let error = NotFound { looked: vec!["rosterd.toml".into(), "/etc/rosterd/rosterd.toml".into()] };
    insta::assert_snapshot!(error, @"there is no configuration: looked at rosterd.toml, /etc/rosterd/rosterd.toml; `rosterd init` writes one, --config or $ROSTERD_CONFIG names one, and `rosterd demo` shows what rosterd does and needs none");
}
