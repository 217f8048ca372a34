//! The fixtures themselves, looked at with `ldapsearch`: the servers serve what was put into them and are gone
//! afterwards, TLS is as it should be, and the proxy does what it is told, where it is told.

use std::path::Path;
use std::process::{Command, Output};

use super::install::run;
use super::pki::Pki;
use super::proxy::{Fault, Proxy};
use super::samba::Samba;
use super::server::{client, is_dead, is_free};
use super::slapd::{LIMITED, SYNCER, Slapd};
use super::{Directory, FEW, SIZES};

/// An `ldapsearch` of its own, whose words are parted at spaces; bound as `bind`.
fn search(ca: &Path, url: &str, bind: [&str; 2], words: &str) -> Output {
    let mut command = client("ldapsearch", ca);
    command.args(["-x", "-LLL", "-H", url, "-D", bind[0], "-w", bind[1]]).args(words.split_whitespace());
    command.output().unwrap()
}

fn entries(output: &Output) -> usize {
    String::from_utf8_lossy(&output.stdout).matches("dn: ").count()
}

/// What everybody in `ou=People` is found with.
const PEOPLE: &str = "-b ou=People,dc=example,dc=test (uid=*) mail";

/// The values of an attribute, whatever range it came as.
fn values(ldif: &str, attribute: &str) -> usize {
    ldif.lines().filter(|line| line.starts_with(attribute)).count()
}

#[test]
fn slapd_serves_what_was_put_in_and_is_gone_afterwards() {
    let mut slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people([1, 3]));
    slapd.join(&group, &slapd.person(2));
    slapd.stop();
    slapd.go_on();
    let found = slapd.search(&format!("(memberOf={group})"), &["mail"]);
    assert_eq!(values(&found, "mail: "), 3, "{found}");
    let (pid, listens, folder) = (slapd.server().pid().unwrap(), slapd.listens(), slapd.folder().to_owned());
    drop(slapd);
    assert!(is_dead(pid) && listens.into_iter().all(is_free) && !folder.exists());
}

#[test]
fn samba_serves_what_was_put_in_and_is_gone_afterwards() {
    let mut samba = Samba::start();
    let group = samba.add_group("staff", &samba.people([1, 3]));
    samba.join(&group, &samba.person(2));
    samba.make_primary(&group, &samba.person(1));
    samba.stop();
    samba.go_on();
    let found = samba.search(&format!("(memberOf={group})"), &["mail"]);
    assert_eq!(values(&found, "mail: "), 2, "{found}");
    let (pid, listens, folder) = (samba.server().pid().unwrap(), samba.listens(), samba.folder().to_owned());
    drop(samba);
    assert!(is_dead(pid) && listens.into_iter().all(is_free) && !folder.exists());
}

#[test]
fn a_crowd_in_slapd_is_in_its_groups() {
    let slapd = Slapd::crowd();
    for size in SIZES {
        let group = slapd.group(&format!("size-{size}"));
        let found = slapd.search(&format!("(memberOf={group})"), &["uid"]);
        assert_eq!(values(&found, "uid: "), size);
    }
}

#[test]
fn a_crowd_in_samba_is_in_its_groups() {
    let samba = Samba::crowd();
    for size in SIZES {
        let group = samba.group(&format!("size-{size}"));
        let found = samba.search(&format!("(memberOf={group})"), &["sAMAccountName"]);
        assert_eq!(values(&found, "sAMAccountName: "), size);
    }
    // In ranges, as it is asked for.
    let found = samba.search("(cn=size-3001)", &["member;range=1500-*"]);
    assert_eq!(values(&found, "member;range=1500-"), 1_501, "{found}");
    // One who was written beside is as one who was not: a client can change and delete them.
    samba.set(&samba.person(5_000), "mail", &["other@contoso.com"]);
    samba.disable(&samba.person(5_001));
    samba.delete(&samba.person(5_002));
    let moved = samba.move_away(&samba.person(5_003));
    let found = samba.search(&format!("(&(memberOf={})(cn=p0500*))", samba.group("size-13000")), &["mail"]);
    assert_eq!(values(&found, "mail: "), 9, "{found}");
    assert!(found.contains("other@contoso.com") && !found.contains("p05000@"));
    assert!(found.to_lowercase().contains(&format!("dn: {moved}").to_lowercase()), "{found}");
}

#[test]
fn a_domain_has_more_than_people_and_they_are_in_many_states() {
    let samba = Samba::start();
    let contact = samba.add_contact("supplier");
    let computer = samba.add_computer("desk1");
    let people = samba.people(0..5);
    let group = samba.add_group("staff", &[&people[..], &[contact, computer]].concat());
    samba.disable(&people[0]);
    samba.expire(&people[1]);
    samba.lock(&people[2]);
    samba.set(&people[3], "proxyAddresses", &["smtp:old@contoso.com", "SMTP:new@contoso.com"]);
    samba.delete(&people[4]);
    let count = |filter: &str| values(&samba.search(&format!("(&(memberOf={group}){filter})"), &["cn"]), "cn: ");
    assert_eq!(count("(objectClass=*)"), 6);
    assert_eq!(count("(userAccountControl:1.2.840.113556.1.4.803:=2)"), 1);
    assert_eq!(count("(accountExpires<=132000000000000000)(accountExpires>=1)"), 1);
    assert_eq!(count("(lockoutTime>=1)"), 1);
    assert_eq!(count("(proxyAddresses=smtp:NEW@contoso.com)"), 1);
    assert_eq!(count("(objectClass=contact)") + count("(objectClass=computer)"), 2);
    let id = samba.stable_id(&people[3]);
    let moved = samba.move_away(&samba.rename(&people[3], "CN=renamed"));
    assert_eq!(samba.stable_id(&moved), id);
    assert_eq!(samba.elsewhere("CN=renamed"), moved);
}

#[test]
fn groups_of_every_kind_are_in_slapd() {
    let slapd = Slapd::start();
    slapd.add_people(FEW..FEW + 2);
    let people = slapd.people([0, FEW + 1]);
    let group = slapd.add_unique_group("unique", &people);
    slapd.add_posix_group("posix", &["p00000", "nobody"]);
    slapd.add_group("dangling", &[people[0].clone(), slapd.person(FEW + 2)]);
    slapd.leave(&slapd.add_group("left", &people), &people[1]);
    let count = |filter: &str, attribute: &str| values(&slapd.search(filter, &[attribute]), attribute);
    assert_eq!(count(&format!("(memberOf={group})"), "uid"), 2);
    assert_eq!(count("(cn=posix)", "memberUid"), 2);
    assert_eq!((count("(cn=dangling)", "member"), count("(cn=left)", "member")), (2, 1));
    let id = slapd.stable_id(&people[0]);
    let renamed = slapd.rename(&people[0], "uid=renamed");
    assert_eq!(slapd.stable_id(&renamed), id);
    slapd.disable(&renamed);
    assert_eq!(count("(nsAccountLock=TRUE)", "nsAccountLock"), 1);
}

#[test]
fn a_nest_closes_upon_itself() {
    let samba = Samba::start();
    let people = samba.people(0..5);
    let first = samba.add_nest("nest", &people);
    for level in 1..=5 {
        let group = samba.group(&format!("nest-{level}"));
        let found = samba.search(&format!("(&(memberOf:1.2.840.113556.1.4.1941:={group})(objectClass=user))"), &["cn"]);
        assert_eq!(values(&found, "cn: "), 5, "{first}: {found}");
    }
}

#[test]
fn tls_takes_the_right_certificate_and_no_other() {
    let slapd = Slapd::start();
    let ca = slapd.pki.ca();
    for (url, words) in [(slapd.url(), "-ZZ "), (slapd.tls_url(), "")] {
        let found = search(&ca, &url, SYNCER, &format!("{words}{PEOPLE}"));
        assert_eq!(entries(&found), FEW, "{found:?}");
    }
    let other = Pki::new(&slapd.path("other"));
    let refused = search(&other.ca(), &slapd.tls_url(), SYNCER, PEOPLE);
    assert!(!refused.status.success() && entries(&refused) == 0);

    slapd.pki.for_another_name("elsewhere");
    slapd.pki.expired("old", slapd.address());
    for bad in ["elsewhere", "old"] {
        slapd.show_certificate(bad);
        let refused = search(&ca, &slapd.tls_url(), SYNCER, PEOPLE);
        assert!(!refused.status.success() && entries(&refused) == 0, "{bad}");
    }
    slapd.show_certificate("server");
    assert_eq!(entries(&search(&ca, &slapd.tls_url(), SYNCER, PEOPLE)), FEW);
}

#[test]
fn samba_speaks_tls_by_both_ways() {
    let samba = Samba::start();
    let words = "-b ou=People,dc=ad,dc=example,dc=test (objectClass=user) mail";
    for (url, start) in [(samba.url(), "-ZZ "), (samba.tls_url(), "")] {
        assert_eq!(entries(&search(&samba.ca(), &url, samba.syncer(), &format!("{start}{words}"))), FEW);
    }
    let other = Pki::new(&samba.path("other"));
    assert!(!search(&other.ca(), &samba.tls_url(), samba.syncer(), words).status.success());
}

#[test]
fn a_client_certificate_says_who_one_is() {
    let slapd = Slapd::start();
    slapd.pki.client("syncer");
    let mut whoami = client("ldapwhoami", &slapd.ca());
    whoami.env("LDAPTLS_CERT", slapd.pki.pem("syncer")).env("LDAPTLS_KEY", slapd.pki.key("syncer"));
    let who = run(whoami.args(["-Q", "-Y", "EXTERNAL", "-H", &slapd.tls_url()]));
    assert_eq!(who.trim().to_lowercase(), format!("dn:{}", SYNCER[0]).to_lowercase());
}

#[test]
fn a_ticket_of_the_domain_says_who_one_is() {
    let samba = Samba::start();
    let cache = format!("FILE:{}", samba.path("tickets").display());
    let with_kerberos = |mut command: Command| {
        command.env("KRB5_CONFIG", samba.krb5_conf()).env("KRB5CCNAME", &cache);
        command
    };
    let mut kinit = with_kerberos(Command::new(super::install::program("kinit")));
    run(kinit.arg("-k").arg("-t").arg(samba.keytab()).arg("syncer@AD.EXAMPLE.TEST"));
    let mut search = with_kerberos(client("ldapsearch", &samba.ca()));
    search.args(["-Q", "-N", "-Y", "GSSAPI", "-O", "maxssf=0", "-LLL", "-H", &samba.tls_url()]);
    let found = run(search.args(["-b", samba.base(), "(cn=p00003)", "mail"]));
    assert_eq!(values(&found, "mail: "), 1, "{found}");
}

#[test]
fn limits_hold_and_can_be_changed_while_the_server_runs() {
    let slapd = Slapd::start();
    let ca = slapd.pki.ca();
    assert_eq!(entries(&search(&ca, &slapd.url(), LIMITED, PEOPLE)), FEW);
    slapd.limit("size=5");
    let limited = search(&ca, &slapd.url(), LIMITED, PEOPLE);
    assert_eq!((entries(&limited), limited.status.code()), (5, Some(4)));
    assert_eq!(entries(&search(&ca, &slapd.url(), SYNCER, PEOPLE)), FEW);
}

#[test]
fn the_proxy_cuts_exactly_where_it_is_told() {
    let slapd = Slapd::start();
    let proxy = Proxy::before(slapd.listens()[0]);
    let look = || search(&slapd.ca(), &proxy.url(), SYNCER, PEOPLE);
    assert_eq!(entries(&look()), FEW);
    // A bind and a search; the bind's result, the entries, and the search's.
    let all = FEW + 2;
    crate::world::until("everything has passed", || proxy.answers() == all);
    // `ldapsearch` takes its leave.
    crate::world::until("the client is gone", || proxy.requests() == 3);
    assert_eq!((proxy.connections(), proxy.results()), (1, 2));
    for answers in 0..=all {
        proxy.set(Fault::CutAfterAnswers(answers));
        let cut = look();
        assert_eq!(entries(&cut), answers.saturating_sub(1).min(FEW), "cut after {answers}");
        assert_eq!(cut.status.success(), answers == all, "cut after {answers}: {cut:?}");
    }
    for requests in 0..2 {
        proxy.set(Fault::CutAfterRequests(requests));
        assert!(entries(&look()) == 0 && !look().status.success());
    }
    proxy.set(Fault::Refuse);
    assert!(!look().status.success());
    proxy.set(Fault::None);
    assert_eq!(entries(&look()), FEW);
    let listens = proxy.listens();
    drop(proxy);
    crate::world::until("the proxy is gone", || is_free(listens));
}

#[test]
fn the_proxy_says_what_the_server_did_not() {
    let slapd = Slapd::start();
    slapd.add_group("staff", &slapd.people(0..3));
    let proxy = Proxy::before(slapd.listens()[0]);
    let look = |words: &str| search(&slapd.ca(), &proxy.url(), SYNCER, words);
    for code in [3, 4, 10, 11, 51, 52, 53] {
        proxy.set(Fault::Result { nth: 2, code });
        let refused = look(PEOPLE);
        assert_eq!((entries(&refused), refused.status.code()), (FEW, Some(code.into())));
    }
    // The second page of four, as if it were the last.
    proxy.set(Fault::WithoutControls { nth: 3 });
    let short = look(&format!("-E pr=5/noprompt {PEOPLE}"));
    assert_eq!((entries(&short), short.status.code()), (10, Some(0)));

    proxy.set(Fault::Ranges { values_max: 2 });
    let ranged = look("-b ou=Groups,dc=example,dc=test (cn=staff) member");
    let ranged = String::from_utf8_lossy(&ranged.stdout).into_owned();
    assert_eq!((values(&ranged, "member;range=0-1: "), values(&ranged, "member: ")), (2, 0), "{ranged}");

    proxy.set(Fault::StallAfterAnswers(5));
    let ended = Command::new("timeout")
        .args(["1", "ldapsearch", "-x", "-H", &proxy.url(), "-D", SYNCER[0], "-w", SYNCER[1], "-b", slapd.base()])
        .output()
        .unwrap();
    assert_eq!((ended.status.code(), proxy.answers()), (Some(124), 5), "{ended:?}");
}
