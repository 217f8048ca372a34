//! What may lie in a drop folder: each kind of file through the built binary.

use std::fs;

use crate::world::{World, people, roster};

/// Two people in the encodings and shapes that spreadsheets and directories export.
#[test]
fn a_roster_is_read_in_every_encoding_and_shape() {
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let cases: [(&str, Vec<u8>); 8] = [
        ("utf8", "email,name\nann@contoso.com,Zoë\nbob@contoso.com,B\n".into()),
        ("bom and CRLF", "\u{feff}E-Mail;Name\r\nann@contoso.com;Zoë\r\nbob@contoso.com;B\r\n".into()),
        ("no last line end", "MAIL\nann@contoso.com\nbob@contoso.com".into()),
        (
            "UTF-16LE, tabs",
            utf16("\u{feff}email\tname\r\nann@contoso.com\tZoë\r\nbob@contoso.com\t\r\n", u16::to_le_bytes),
        ),
        ("UTF-16BE", utf16("\u{feff}email|name\nann@contoso.com|Zoë\nbob@contoso.com|B\n", u16::to_be_bytes)),
        ("Windows-1252", b"name|UserPrincipalName\r\nZo\xeb \x80|ann@contoso.com\r\nB|bob@contoso.com\r\n".to_vec()),
        (
            "quotes over lines",
            "name,email\n\"Ann\nof \"\"A\"\", Inc.\",ann@contoso.com\n\"B\",\"bob@contoso.com\"\n".into(),
        ),
        ("doubles and blank lines", "email\n\nANN@contoso.com\nbob@contoso.com\n\nann@contoso.com\n".into()),
    ];
    for (what, content) in cases {
        let world = World::new(10);
        world.drop_file("staff.csv", content);
        world.run_to(0, &["sync"]);
        let assigned: Vec<String> = world.assigned().iter().map(|address| address.to_lowercase()).collect();
        assert_eq!(assigned, ["ann@contoso.com", "bob@contoso.com"], "{what}");
    }
}

#[test]
fn a_file_with_a_digest_beside_it_is_read_only_when_that_fits() {
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let world = World::with_source(10, "after = \"leave\"");
    world.drop_file("staff.csv", roster(&people(0..2)));
    world.run_to(0, &["sync"]);
    // An old file with an old digest: nobody is still writing either.
    fs::write(world.path("drops/staff.csv.sha256"), format!("{EMPTY}  staff.csv\n")).unwrap();
    world.drop_file("staff.csv", roster(&people(0..1)));
    for name in ["staff.csv", "staff.csv.sha256"] {
        let file = fs::File::options().append(true).open(world.path("drops").join(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
    }
    let ran = world.run_to(1, &["sync"]);
    assert!(ran.stderr.contains("SHA-256"), "{}", ran.stderr);
    assert_eq!(world.assigned(), people(0..2));
    let told = ran.stderr.split("staff.csv has SHA-256 ").nth(1).unwrap();
    let digest: String = told.chars().take_while(char::is_ascii_hexdigit).collect();
    fs::write(world.path("drops/staff.csv.sha256"), format!("{digest}  staff.csv\n")).unwrap();
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..1));
}

#[test]
fn a_refused_file_stays_a_problem_until_another_has_come() {
    let world = World::new(50);
    world.drop_roster("a.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.drop_file("b.csv", "name\nJane\n");
    world.run_to(1, &["sync"]);
    assert!(world.path("drops/rejected/b.csv.report.txt").exists());
    world.run(&["sync"]);
    let status = world.run_to(3, &["status"]).stdout;
    assert!(status.contains("b.csv"), "that it was moved aside mends nothing: {status}");
    let checked = world.run_to(1, &["check"]).stdout;
    assert!(checked.contains("FAILED source hr: b.csv"), "{checked}");
    assert_eq!(world.assigned(), people(0..20));
    world.drop_roster("c.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.run_to(0, &["status"]);
    let checked = world.run_to(0, &["check"]).stdout;
    assert!(checked.contains("20 people in "), "the roster in force is told: {checked}");
}

#[test]
fn a_source_from_which_nothing_comes_any_more_is_told_once() {
    let world = World::with_source(50, "max_age = \"1s\"");
    world.drop_roster("a.csv", &people(0..2));
    world.run_to(0, &["sync"]);
    let overdue = || world.run(&["sync"]).stderr.contains("No new file has come since");
    crate::world::until("the silence is noticed", overdue);
    assert!(!overdue(), "it is told once");
    let status = world.run_to(3, &["status"]).stdout;
    assert!(status.contains("max_age"), "{status}");
    assert_eq!(world.assigned(), people(0..2));
    // The same people in a new file are news enough.
    world.drop_roster("b.csv", &people(0..2));
    world.run_to(0, &["sync"]);
    let status = world.run(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["subscriptions"][0]["problem"], serde_json::Value::Null);
}

const JANE_JOINS: &str = "action,email\nadd,jane@contoso.com\n";
const JANE_LEAVES: &str = "action,email\nremove,jane@contoso.com\n";

#[test]
fn a_delta_file_counts_once_while_it_lies_there() {
    for after in ["archive", "leave", "delete"] {
        let world = World::with_source(50, &format!("mode = \"delta\"\nafter = \"{after}\""));
        world.drop_file("1.csv", JANE_JOINS);
        world.run_to(0, &["sync"]);
        world.drop_file("2.csv", "action,email\nLeave,jane@contoso.com\n+,b@contoso.com\n");
        world.run_to(0, &["sync"]);
        world.run_to(0, &["sync"]);
        assert_eq!(world.assigned(), ["b@contoso.com"], "{after}");
        assert_eq!(world.path("drops/1.csv").exists(), after == "leave");
        assert_eq!(world.path("drops/processed").exists(), after == "archive");
    }
}

#[test]
fn a_delta_file_that_says_what_an_earlier_one_of_its_name_said_counts_anew() {
    for after in ["archive", "leave", "delete"] {
        let world = World::with_source(50, &format!("mode = \"delta\"\nafter = \"{after}\""));
        for (content, assigned) in [(JANE_JOINS, 1), (JANE_LEAVES, 0), (JANE_JOINS, 1), (JANE_LEAVES, 0)] {
            world.drop_file("daily.csv", content);
            world.run_to(0, &["sync"]);
            assert_eq!(world.assigned().len(), assigned, "{after}: {content}");
        }
    }
}

#[test]
fn a_delta_file_that_can_not_be_put_away_counts_once_until_another_takes_its_place() {
    let world = World::with_source(50, "mode = \"delta\"");
    fs::write(world.path("drops/processed"), "in the way").unwrap();
    world.drop_file("daily.csv", JANE_JOINS);
    world.run_to(0, &["sync"]);
    fs::remove_file(world.path("drops/processed")).unwrap();
    let ran = world.run_to(0, &["sync"]);
    assert!(ran.stderr.contains("daily.csv had been applied before"), "{}", ran.stderr);
    assert!(world.path("drops/processed/daily.csv").exists());
    world.drop_file("daily.csv", JANE_LEAVES);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned().len(), 0);
    // The very file again, with its old time: it had gone, so somebody has put it there.
    fs::rename(world.path("drops/processed/daily.csv"), world.path("drops/daily.csv")).unwrap();
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), ["jane@contoso.com"]);
}

#[test]
fn a_refused_delta_that_is_put_back_when_the_configuration_is_mended_is_applied() {
    let delta = |more: &str| format!("mode = \"delta\"\n{more}");
    let world = World::with_source(50, &delta("columns = { action = \"what\" }"));
    world.drop_file("1.csv", JANE_JOINS);
    world.run_to(1, &["sync"]);
    world.configure("", "", &delta(""));
    fs::rename(world.path("drops/rejected/1.csv"), world.path("drops/1.csv")).unwrap();
    world.run_to(3, &["plan"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), ["jane@contoso.com"]);
    world.run_to(0, &["status"]);
    // Where files are left, the refused one lies there: it waits for a file or a configuration that is new.
    let world = World::with_source(50, &delta("after = \"leave\"\ncolumns = { action = \"what\" }"));
    world.drop_file("1.csv", JANE_JOINS);
    world.run_to(1, &["sync"]);
    world.run_to(0, &["sync"]);
    assert!(world.run(&["status"]).stdout.contains("1.csv"), "it stays the source's problem");
    world.configure("", "", &delta("after = \"leave\""));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), ["jane@contoso.com"]);
}

#[test]
fn a_delta_that_comes_after_a_later_one_takes_no_licence_and_says_so() {
    for after in ["archive", "leave"] {
        let world = World::with_source(50, &format!("mode = \"delta\"\nafter = \"{after}\""));
        world.drop_file("02.csv", JANE_JOINS);
        world.run_to(0, &["sync"]);
        world.drop_file("01.csv", JANE_LEAVES);
        let ran = world.run_to(1, &["sync"]);
        assert!(ran.stderr.contains("01.csv was not applied"), "{}", ran.stderr);
        let status = world.run(&["status"]).stdout;
        assert!(status.contains("drop it again under a name that comes after 02.csv"), "{after}: {status}");
        assert!(world.run(&["history"]).stdout.contains("01.csv was not applied"));
        assert_eq!(world.assigned(), ["jane@contoso.com"]);
        assert_eq!(world.path("drops/rejected/01.csv.report.txt").exists(), after == "archive");
        world.run_to(0, &["sync"]);
        assert!(world.run(&["status"]).stdout.contains("01.csv"), "{after}: until another has been taken");
        world.drop_file("03.csv", JANE_LEAVES);
        world.run_to(0, &["sync"]);
        assert_eq!(world.assigned().len(), 0);
        let told = world.run(&["explain", "jane@contoso.com"]).stdout;
        assert!(told.contains("removed from hr (03.csv line 2)"), "what removed her: {told}");
    }
}

#[test]
fn nonsense_years_end_nobody() {
    let world = World::new(200);
    world.drop_roster("a.csv", &people(0..100));
    world.run_to(0, &["sync"]);
    let ends = ["27-06-30", "1-1-1", "-2027-06-30", "027-06-30", "0001-01-01"];
    let rows = people(0..100).into_iter().enumerate();
    let rows: Vec<String> =
        rows.map(|(n, email)| format!("{email},{}", ends.get(n).unwrap_or(&"2027-06-30"))).collect();
    world.drop_file("b.csv", format!("email,end\n{}\n", rows.join("\n")));
    let ran = world.run(&["sync"]);
    assert!(ran.stderr.contains("is not a date of the years 1900 to 9999"), "{}", ran.stderr);
    assert_eq!(world.assigned(), people(0..100));
}

#[test]
fn a_file_that_is_dated_ahead_hides_neither_later_ones_nor_their_absence() {
    let world = World::with_source(50, "after = \"leave\"\nmax_age = \"1s\"");
    world.drop_roster("a.csv", &people(0..2));
    let ahead = std::time::SystemTime::from(rosterd::clock::now()) + std::time::Duration::from_hours(24 * 900);
    fs::File::options().append(true).open(world.path("drops/a.csv")).unwrap().set_modified(ahead).unwrap();
    world.run_to(0, &["sync"]);
    let overdue = || world.run(&["sync"]).stderr.contains("No new file has come since");
    crate::world::until("the silence is noticed", overdue);
    world.drop_roster("b.csv", &people(0..3));
    // On a busy machine the silence may have begun again.
    world.run(&["sync"]);
    assert_eq!(world.assigned(), people(0..3));
}

#[test]
fn a_link_that_is_pointed_elsewhere_is_a_change_of_what_is_looked_at() {
    let world = World::with_source(50, "path = \"current\"");
    fs::create_dir(world.path("other")).unwrap();
    std::os::unix::fs::symlink("drops", world.path("current")).unwrap();
    world.drop_roster("a.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    fs::remove_file(world.path("current")).unwrap();
    std::os::unix::fs::symlink("other", world.path("current")).unwrap();
    fs::write(world.path("other/b.csv"), crate::world::roster(&people(3..20))).unwrap();
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned(), people(0..20), "removals wait for a person, however few");
}

#[test]
fn two_sources_on_one_folder_are_told_by_whatever_path() {
    let world = World::new(50);
    std::os::unix::fs::symlink("drops", world.path("link")).unwrap();
    for path in ["drops/../drops", "link"] {
        let other = format!("sources = [\"hr\", \"ad\"]\n[sources.ad]\nkind = \"csv\"\npath = \"{path}\"\n");
        world.configure("", &other, "");
        let ran = world.run(&["check"]);
        assert!((ran.stdout + ran.stderr.as_str()).contains("take the same files"), "{path}");
    }
}

#[test]
fn of_two_snapshots_the_newer_counts() {
    let world = World::new(50);
    world.drop_roster("z.csv", &people(0..2));
    let earlier = fs::File::options().append(true).open(world.path("drops/z.csv")).unwrap();
    earlier.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
    world.drop_roster("a.csv", &people(2..5));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(2..5));
}

#[test]
fn an_explanation_says_that_a_newer_file_waits() {
    let world = World::new(5);
    world.drop_roster("a.csv", &people(0..2));
    world.run_to(0, &["sync"]);
    let explain = || world.run_to(0, &["explain", "p00001@contoso.com"]).stderr;
    assert_eq!(explain(), "");
    world.drop_roster("b.csv", &people(0..1));
    assert_eq!(explain(), "hr: b.csv waits to be read, and nothing of it is in this; `rosterd sync` reads it.\n");
}
