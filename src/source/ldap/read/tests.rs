use super::super::fake::{Fake, Fault};
use super::*;
use crate::config::{Auth, Flavor};
use crate::roster::Reason;
use crate::source::ldap::dn::Dn;
use crate::source::ldap::filter::Filter;

pub(in crate::source::ldap) fn config(groups: &[&str]) -> Ldap {
    let group = |name: &&str| Group {
        dn: Dn::parse(&format!("cn={name},ou=groups,dc=x")).unwrap(),
        priority: 100,
        subscription: None,
        id: None,
    };
    let second = std::time::Duration::from_secs(1);
    Ldap {
        urls: Vec::new(),
        auth: Auth::Gssapi { keytab: None },
        start_tls: false,
        ca_file: None,
        flavor: Flavor::Auto,
        base_dn: None,
        groups: groups.iter().map(group).collect(),
        user_filter: None,
        nested: true,
        include_disabled: false,
        email_attributes: vec!["mail".to_owned()],
        page_size: 3,
        connect_timeout: second,
        page_timeout: second,
        read_timeout: second,
        discover: false,
        schedule: crate::config::Schedule::parse("* * * * *", chrono_tz::Tz::UTC).unwrap(),
        push: false,
        first: None,
        table: String::new(),
    }
}

/// A roster that is read again and again.
struct Desk {
    config: Ldap,
    stored: Vec<Entry>,
    known: Option<Observed>,
}

/// Nobody watches.
struct Nobody;

impl Watch for Nobody {
    fn expect(&self, _more: u64) {}
    fn seen(&self, _more: u64) {}
}

/// What a reading came to: who is in, who goes and why, who is held and why.
#[derive(Debug, Default, PartialEq, Eq)]
struct Came {
    present: Vec<String>,
    gone: Vec<String>,
    held: Vec<String>,
}

impl Desk {
    fn new(config: Ldap) -> Desk {
        Desk { config, stored: Vec::new(), known: None }
    }

    fn reading(&self, fake: &mut Fake) -> Reading {
        let hasher = Hasher::new([7; 16]);
        let missing = |snapshot: &Snapshot| {
            let key = |entry: &Entry| hasher.entry_key(entry.address.identity(), entry.route.as_deref());
            let is_there = |entry: &&Entry| snapshot.rows.iter().any(|row| row.key == key(entry));
            Ok(self.stored.iter().filter(|entry| !is_there(entry)).cloned().collect())
        };
        let known = self.known.as_ref();
        let now = chrono::DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let config = &self.config;
        read(
            fake,
            Settings {
                config,
                hasher: &hasher,
                known,
                may_be_unchanged: true,
                now,
                watch: &Nobody,
                keep: None,
                missing: &missing,
            },
        )
    }

    /// Reads, and takes what was read for the roster.
    fn read(&mut self, fake: &mut Fake) -> Came {
        match self.reading(fake) {
            Reading::Complete(mut snapshot) => {
                let came = self.came(&mut snapshot);
                let rows = snapshot.rows.clone();
                self.stored = snapshot.entries.fetch(&rows).unwrap();
                self.known = snapshot.evidence.directory.take().map(|observed| *observed);
                came
            }
            other => panic!("{other:?}"),
        }
    }

    fn came(&self, snapshot: &mut Snapshot) -> Came {
        let rows = snapshot.rows.clone();
        let entries = snapshot.entries.fetch(&rows).unwrap();
        let name = |entry: &Entry| entry.address.to_string().replace("@x.example", "");
        let mut came = Came {
            present: entries.iter().map(name).collect(),
            held: snapshot.bad_rows.iter().map(|row| format!("{}: {}", row.origin, row.reason)).collect(),
            gone: Vec::new(),
        };
        for entry in self.stored.iter().filter(|entry| !entries.iter().any(|it| it.address == entry.address)) {
            let id = entry.stable_id.as_deref();
            if !snapshot.bad_rows.iter().any(|row| row.stable_id.as_deref() == id) {
                let renamed = entries.iter().any(|it| it.stable_id.as_deref() == id);
                let reason = snapshot.departed.get(id.unwrap()).copied().unwrap_or(Reason::Left);
                came.gone.push(format!("{} {}", name(entry), if renamed { Reason::Renamed } else { reason }));
            }
        }
        came.present.sort();
        came.gone.sort();
        came
    }

    fn refused(&self, fake: &mut Fake) -> String {
        match self.reading(fake) {
            Reading::Incomplete(why) => why.reason,
            other => panic!("{other:?}"),
        }
    }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// Two groups, one in the other and that in the first, and six people.
fn fake(is_active_directory: bool) -> Fake {
    let mut fake = Fake::new(is_active_directory);
    for (at, name) in ["ada", "ben", "cid", "dot", "eve", "fay"].into_iter().enumerate() {
        fake.person(name, 10 + u8::try_from(at).unwrap(), &[]);
    }
    fake.group("staff", 1, &["CN=Ada, OU=People, DC=X", "cn=ben,ou=people,dc=x", "cn=inner,ou=groups,dc=x"]);
    fake.group("inner", 2, &["cn=cid,ou=people,dc=x", "cn=dot,ou=people,dc=x", "cn=staff,ou=groups,dc=x"]);
    fake
}

fn both(test: impl Fn(Fake, Desk)) {
    for is_active_directory in [false, true] {
        test(fake(is_active_directory), Desk::new(config(&["staff"])));
    }
}

#[test]
fn groups_in_groups_are_read_whatever_the_way_and_loops_end() {
    for (is_active_directory, has_member_of) in [(false, false), (false, true), (true, true)] {
        let mut fake = Fake { has_member_of, ..fake(is_active_directory) };
        let came = Desk::new(config(&["staff"])).read(&mut fake);
        assert_eq!(came, Came { present: names(&["ada", "ben", "cid", "dot"]), ..Came::default() });
        let flat = Ldap { nested: false, ..config(&["staff"]) };
        assert_eq!(Desk::new(flat).read(&mut fake).present, ["ada", "ben"]);
    }
}

#[test]
fn a_reading_that_is_cut_at_any_message_takes_nobody_away() {
    let faults = [3, 4, 10, 11, 50, 51, 52, 53].map(Fault::Code);
    both(|mut fake, mut desk| {
        fake.values_max = fake.is_active_directory.then_some(2);
        let whole = desk.read(&mut fake);
        // So that everything is looked up that can be: one has left, one is disabled, one is gone.
        fake.set("staff", "member", &["cn=ada,ou=people,dc=x", "cn=inner,ou=groups,dc=x"]);
        fake.disable("cid");
        fake.remove("dot");
        fake.state += 1;
        fake.messages = 0;
        let reading = desk.reading(&mut fake);
        let Reading::Complete(mut snapshot) = reading else { panic!("{reading:?}") };
        let all_gone = desk.came(&mut snapshot);
        assert_eq!(all_gone.gone.len() + all_gone.present.len(), whole.present.len());
        let messages = fake.messages;
        assert!(messages > 20, "{messages}");
        for at in 0..messages {
            for fault in faults.into_iter().chain([Fault::Cut, Fault::NoControl]) {
                let mut broken = Fake { fault: Some((at, fault)), messages: 0, ..fake.clone() };
                if let Reading::Complete(mut snapshot) = desk.reading(&mut broken) {
                    let came = desk.came(&mut snapshot);
                    let wrongly: Vec<_> = came.gone.iter().filter(|it| !all_gone.gone.contains(it)).collect();
                    assert!(wrongly.is_empty(), "{fault:?} at {at}: {wrongly:?} ({:?})", broken.asked.last());
                    assert_ne!(fault, Fault::Cut, "at {at}");
                }
            }
        }
    });
}

#[test]
fn a_lost_connection_says_what_was_being_read() {
    both(|mut fake, desk| {
        fake.fault = Some((1, Fault::Cut));
        let told = desk.refused(&mut fake);
        assert_eq!(told, "ldaps://dc1.x.example closed the connection, while the root DSE was being read.");
    });
}

#[test]
fn a_limit_is_told_with_what_to_do() {
    let config = Ldap {
        base_dn: Some(Dn::parse("dc=x").unwrap()),
        user_filter: Some(Filter::parse("(objectClass=person)").unwrap()),
        ..config(&[])
    };
    let desk = Desk::new(config);
    let told = |fault: Fault| {
        let mut fake = Fake { fault: Some((9, fault)), ..fake(false) };
        desk.refused(&mut fake)
    };
    insta::assert_snapshot!(told(Fault::Code(4)), @r"ldaps://dc1.x.example answered 4 (size limit exceeded) when everybody below dc=x whom user_filter lets in was being read. The server's limit of size was reached: give this account an unlimited size, or at least unlimited pages (OpenLDAP: `limits … size.prtotal=unlimited`).");
    insta::assert_snapshot!(told(Fault::Code(11)), @r"ldaps://dc1.x.example answered 11 (administrative limit exceeded) when everybody below dc=x whom user_filter lets in was being read. A limit of the server's administrator was reached: is `page_size` (3) more than it allows?");
    let mut fake = Fake { fault: Some((12, Fault::NoControl)), ..fake(false) };
    insta::assert_snapshot!(desk.refused(&mut fake), @r"ldaps://dc1.x.example answered without a word on pages when everybody below dc=x whom user_filter lets in was being read, so that nobody can tell whether that was all. Does it, or what stands before it, know the paged results control (1.2.840.113556.1.4.319)?");
}

#[test]
fn whoever_left_has_a_reason() {
    both(|mut fake, mut desk| {
        desk.read(&mut fake);
        fake.disable("ben");
        fake.set("inner", "member", &["cn=gone,ou=people,dc=x"]);
        fake.remove("dot");
        fake.state += 1;
        let came = desk.read(&mut fake);
        assert_eq!(came.present, ["ada"]);
        assert_eq!(came.gone, ["ben disabled", "cid left", "dot vanished"]);
        assert_eq!(came.held, Vec::<String>::new());
        assert_eq!(desk.known.as_ref().unwrap().gone, 1);
    });
}

#[test]
fn a_disabled_account_that_also_left_is_disabled() {
    both(|mut fake, mut desk| {
        desk.read(&mut fake);
        fake.disable("cid");
        fake.set("inner", "member", &["cn=dot,ou=people,dc=x"]);
        fake.state += 1;
        assert_eq!(desk.read(&mut fake).gone, ["cid disabled"]);
    });
}

#[test]
fn people_whose_place_can_not_be_seen_any_more_are_held() {
    both(|mut fake, mut desk| {
        desk.read(&mut fake);
        fake.entries.push(super::super::person::raw("ou=other,dc=x", &[("objectClass", "organizationalUnit")]));
        fake.hidden = vec!["ou=people,dc=x"];
        fake.state += 1;
        let came = desk.read(&mut fake);
        assert_eq!(came.gone, Vec::<String>::new());
        assert_eq!(came.held.len(), 4, "{came:?}");
        assert!(came.held[0].contains("this account may not read it"), "{came:?}");
    });
}

#[test]
fn a_person_who_moves_and_one_who_gets_another_address_stay_themselves() {
    both(|mut fake, mut desk| {
        desk.read(&mut fake);
        fake.entry("ada").dn = "cn=ada king,ou=groups,dc=x".to_owned();
        let inner = "cn=inner,ou=groups,dc=x";
        fake.set("staff", "member", &["cn=ada king,ou=groups,dc=x", "cn=ben,ou=people,dc=x", inner]);
        fake.set("ben", "mail", &["benjamin@x.example"]);
        fake.state += 1;
        let came = desk.read(&mut fake);
        assert_eq!(came.gone, ["ben renamed"]);
        assert_eq!(came.present, ["ada", "benjamin", "cid", "dot"]);
    });
}

#[test]
fn a_group_is_known_by_its_id_once_it_was_seen() {
    both(|mut fake, mut desk| {
        desk.read(&mut fake);
        fake.entry("staff").dn = "cn=everybody,ou=people,dc=x".to_owned();
        fake.set("inner", "member", &["cn=cid,ou=people,dc=x", "cn=dot,ou=people,dc=x"]);
        fake.state += 1;
        assert_eq!(desk.read(&mut fake).present, ["ada", "ben", "cid", "dot"], "renamed and moved");
        // Another group takes its name: it is not the one that was meant.
        fake.group("staff", 77, &["cn=fay,ou=people,dc=x"]);
        fake.state += 1;
        assert_eq!(desk.read(&mut fake).present, ["ada", "ben", "cid", "dot"]);
        fake.remove("everybody");
        fake.state += 1;
        let told = desk.refused(&mut fake);
        assert!(told.contains("is not there any more, or this account may not see it. Nobody is taken away"), "{told}");
        // Until a person says so.
        desk.config.groups[0].id = Some(uuid::Uuid::from_bytes([77; 16]).to_string());
        assert_eq!(desk.read(&mut fake).present, ["fay"]);
    });
}

#[test]
fn what_is_no_group_or_not_there_is_said() {
    both(|mut fake, mut desk| {
        desk.config = config(&["nobody"]);
        assert!(desk.refused(&mut fake).starts_with("There is no group cn=nobody,ou=groups,dc=x on ldaps://"));
        fake.person("nobody", 9, &[]);
        fake.entry("nobody").dn = "cn=nobody,ou=groups,dc=x".to_owned();
        let told = desk.refused(&mut fake);
        assert_eq!(told, "cn=nobody,ou=groups,dc=x is no group (its classes are person): correct `groups`.");
    });
}

#[test]
fn a_large_group_is_read_in_ranges_and_in_pages() {
    for count in [0, 1, 2, 3, 4, 7, 30] {
        let mut fake = Fake { values_max: Some(3), ..Fake::new(true) };
        let mut members = Vec::new();
        for at in 0..count {
            let name = format!("p{at}");
            fake.person(&name, 100 + at, &[]);
            members.push(format!("cn={name},ou=people,dc=x"));
        }
        fake.group("staff", 1, &members.iter().map(String::as_str).collect::<Vec<_>>());
        let mut desk = Desk::new(config(&["staff"]));
        assert_eq!(desk.read(&mut fake).present.len(), usize::from(count));
        assert_eq!(desk.known.unwrap().groups[0].counts.listed, u64::from(count));
    }
}

#[test]
fn where_two_ways_of_counting_differ_it_is_told() {
    for is_active_directory in [false, true] {
        let mut fake = Fake::new(is_active_directory);
        let mut members = Vec::new();
        for at in 0..25 {
            let name = format!("p{at:02}");
            fake.person(&name, 100 + at, &[]);
            members.push(format!("cn={name},ou=people,dc=x"));
        }
        fake.person("stale", 99, &[]);
        fake.group("staff", 1, &members.iter().map(String::as_str).collect::<Vec<_>>());
        // As where the overlay came later than the group, or has lost its way.
        fake.set("p03", "memberOf", &["cn=other,ou=groups,dc=x"]);
        fake.set("stale", "memberOf", &["cn=staff,ou=groups,dc=x"]);
        let mut desk = Desk::new(config(&["staff"]));
        let present = desk.read(&mut fake).present;
        assert!(present.contains(&"p03".to_owned()) && present.contains(&"stale".to_owned()) == is_active_directory);
        let told = desk.known.unwrap().told().join("\n");
        for words in [
            "(25 listed, 25 by memberOf).",
            "cn=staff,ou=groups,dc=x: 1 member is listed and not found by memberOf: cn=p03,ou=people,dc=x.",
            "cn=staff,ou=groups,dc=x: 1 member is found by memberOf and not listed: cn=stale,ou=people,dc=x.",
        ] {
            assert!(told.contains(words), "{words}\n{told}");
        }
    }
}

#[test]
fn members_that_only_the_list_names_are_fetched_by_name() {
    // `memberOf` is not there for them, as when the overlay came later than the group.
    let mut fake = Fake { has_member_of: false, ..fake(true) };
    assert_eq!(Desk::new(config(&["staff"])).read(&mut fake).present, ["ada", "ben", "cid", "dot"]);
}

#[test]
fn a_filter_lets_in_whom_it_lets_in() {
    both(|mut fake, mut desk| {
        for name in ["ada", "cid", "eve"] {
            fake.set(name, "department", &["Sales"]);
        }
        desk.config.user_filter = Some(Filter::parse("(department=Sales)").unwrap());
        assert_eq!(desk.read(&mut fake).present, ["ada", "cid"], "of the groups' members");
        assert_eq!(desk.known.as_ref().unwrap().filtered, 2);
        desk.config.groups.clear();
        fake.state += 1;
        assert_eq!(desk.read(&mut fake).present, ["ada", "cid", "eve"], "of everybody, where there is no group");
        fake.set("ada", "department", &["IT"]);
        fake.state += 1;
        assert_eq!(desk.read(&mut fake).gone, ["ada left"]);
    });
}

#[test]
fn a_part_that_stands_elsewhere_is_not_left_out_in_silence() {
    both(|mut fake, desk| {
        fake.references = vec!["ldap://y.example/ou=branch,dc=x".to_owned()];
        let told = if fake.is_active_directory {
            desk.refused(&mut fake)
        } else {
            let config = Ldap { user_filter: Some(Filter::parse("(uid=*)").unwrap()), ..config(&[]) };
            Desk::new(config).refused(&mut fake)
        };
        assert!(told.starts_with("A part of what was asked for stands elsewhere (ldap://y.example/"), "{told}");
    });
    let mut fake = Fake { references: vec!["ldap://x/CN=Configuration,dc=x".to_owned()], ..fake(true) };
    assert_eq!(Desk::new(config(&["staff"])).read(&mut fake).present.len(), 4);
}

#[test]
fn what_has_no_licence_is_counted() {
    let mut fake = fake(true);
    for (name, id, class) in
        [("phone", 50, "contact"), ("pc", 51, "computer"), ("s-1-5", 52, "foreignSecurityPrincipal")]
    {
        fake.person(name, id, &[]);
        fake.set(name, "objectClass", &[class]);
    }
    let all = ["phone", "pc", "s-1-5", "ada"].map(|name| format!("cn={name},ou=people,dc=x"));
    let mut members: Vec<&str> = all.iter().map(String::as_str).collect();
    members.push("CN=Zoe,OU=Staff,DC=other");
    fake.group("mixed", 3, &members);
    let mut desk = Desk::new(config(&["mixed"]));
    assert_eq!(desk.read(&mut fake).present, ["ada"]);
    let Observed { contacts, computers, foreign, elsewhere, .. } = desk.known.clone().unwrap();
    assert_eq!((contacts, computers, foreign, elsewhere), (1, 1, 1, 1));
    // Somebody of the same name moves to the other domain: nobody can tell that they left.
    fake.set("mixed", "member", &["cn=ada,ou=staff,dc=other"]);
    fake.remove("ada");
    let came = desk.read(&mut fake);
    assert_eq!((came.gone.len(), came.held.len()), (0, 1), "{came:?}");
}

#[test]
fn people_whose_primary_group_it_is_are_in_it() {
    let mut fake = fake(true);
    fake.set("staff", "groupType", &["-2147483646"]);
    let sid = [1, 1, 0, 0, 0, 0, 0, 5, 57, 1, 0, 0];
    fake.entry("staff").attributes.push(("objectSid".to_owned(), vec![sid.to_vec()]));
    fake.set("eve", "primaryGroupID", &["313"]);
    let mut desk = Desk::new(config(&["staff"]));
    assert_eq!(desk.read(&mut fake).present, ["ada", "ben", "cid", "dot", "eve"]);
    assert_eq!(desk.known.unwrap().groups[0].counts.by_primary, 1);
}

#[test]
fn posix_groups_name_accounts() {
    let mut fake = fake(false);
    for name in ["ada", "eve"] {
        fake.set(name, "objectClass", &["posixAccount"]);
    }
    fake.group("unix", 3, &[]);
    fake.set("unix", "objectClass", &["posixGroup"]);
    fake.set("unix", "memberUid", &["eve", "ada", "nobody", "ben"]);
    assert_eq!(Desk::new(config(&["unix"])).read(&mut fake).present, ["ada", "eve"]);
}

#[test]
fn nothing_is_read_again_while_nothing_changes() {
    let (mut fake, mut desk) = (fake(false), Desk::new(config(&["staff"])));
    desk.read(&mut fake);
    fake.asked.clear();
    assert!(matches!(desk.reading(&mut fake), Reading::Unchanged));
    assert_eq!(fake.asked.len(), 3, "root, base and state: {:?}", fake.asked);
    desk.config.table = "another configuration".to_owned();
    assert!(matches!(desk.reading(&mut fake), Reading::Complete(_)));
    desk.config.table.clear();
    fake.state += 1;
    assert!(matches!(desk.reading(&mut fake), Reading::Complete(_)));
}

#[test]
fn a_controller_that_has_not_caught_up_is_not_believed() {
    let mut fake = Fake { is_behind: true, ..Fake::new(true) };
    fake.person("jane", 1, &[]);
    fake.group("staff", 9, &["cn=jane,ou=people,dc=x"]);
    let mut desk = Desk::new(config(&["staff"]));
    assert!(desk.refused(&mut fake).contains("has not caught up with the other controllers"));
    fake.is_behind = false;
    assert_eq!(desk.read(&mut fake).present, ["jane"]);
}

#[test]
fn a_base_that_can_not_be_seen_is_not_an_empty_directory() {
    let mut fake = Fake::new(true);
    fake.entries.clear();
    let told = Desk::new(config(&["staff"])).refused(&mut fake);
    assert!(told.contains("has no entry dc=x, or does not let this account see it"), "{told}");
}
