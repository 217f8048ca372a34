//! Tickets of a domain instead of passwords (`auth = "gssapi"`).

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Directory;
use super::install::{program, run};
use super::reader::{edit, groups, point, problem, world};
use super::samba::Samba;
use super::wire::Wire;
use crate::world::{Ran, World, people};

/// A group of the first five people, in a world that reads it with a ticket; `keys` say where from.
fn staff(samba: &Samba, url: &str, keys: &str) -> World {
    let group = samba.group("staff");
    let world = World::new(50);
    point(&world, samba, url, &format!("auth = \"gssapi\"\n{keys}{}", groups(&[&group])));
    world
}

/// Runs rosterd where Kerberos is as this file says, and the environment besides.
fn run_with(world: &World, krb5_conf: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = world.command(arguments);
    command.env("KRB5_CONFIG", krb5_conf).envs(environment.iter().copied());
    command.output().unwrap().into()
}

fn keytab(samba: &Samba) -> String {
    format!("keytab = \"{}\"\n", samba.keytab().display())
}

#[test]
fn a_keytab_is_enough_by_both_ways_of_tls_and_on_a_hardened_controller() {
    let mut samba = Samba::start();
    let group = samba.add_group("staff", &samba.people(0..5));
    let by_password = world(&samba, &samba.url(), 50, &groups(&[&group]));
    by_password.run_to(0, &["sync"]);
    samba.leave(&group, &samba.person(0));
    samba.harden();
    for (url, keys) in [(samba.tls_url(), ""), (samba.url(), "start_tls = true\n")] {
        let world = staff(&samba, &url, &format!("{keys}{}", keytab(&samba)));
        let ran = run_with(&world, &samba.krb5_conf(), &[], &["sync"]);
        assert_eq!((ran.status, world.assigned()), (0, people(1..5)), "{url}: {ran:?}");
    }
    // The same controller takes no password in clear, and says so.
    by_password.run_to(1, &["sync"]);
    assert_eq!(by_password.assigned(), people(0..5));
    let told = problem(&by_password);
    assert!(told.contains("answered 8 (stronger authentication required)"), "{told}");
    assert!(told.contains("It wants TLS: use ldaps://, or start_tls = true."), "{told}");
    edit(&by_password, &samba.url(), &samba.tls_url());
    by_password.run_to(0, &["sync"]);
    assert_eq!(by_password.assigned(), people(1..5));
}

#[test]
fn a_crowd_is_read_whole_with_a_ticket() {
    let samba = Samba::crowd();
    let world = World::new(20_000);
    let keys = format!("auth = \"gssapi\"\npage_size = 1000\n{}", keytab(&samba));
    point(&world, &samba, &samba.tls_url(), &format!("{keys}{}", groups(&[&samba.group("size-13000")])));
    let ran = run_with(&world, &samba.krb5_conf(), &[], &["check"]);
    assert!(ran.stdout.contains("ok     source hr: 13,000 people in ldaps://"), "{ran:?}");
}

#[test]
fn a_ticket_in_the_cache_is_enough_and_without_one_nobody_loses_anything() {
    let samba = Samba::start();
    let group = samba.add_group("staff", &samba.people(0..5));
    let world = staff(&samba, &samba.tls_url(), "");
    let cache = format!("FILE:{}", world.path("tickets").display());
    let mut kinit = Command::new(program("kinit"));
    kinit.env("KRB5_CONFIG", samba.krb5_conf()).env("KRB5CCNAME", &cache);
    run(kinit.arg("-k").arg("-t").arg(samba.keytab()).arg("syncer@AD.EXAMPLE.TEST"));
    let sync = |krb5_conf: &Path| run_with(&world, krb5_conf, &[("KRB5CCNAME", &cache)], &["sync"]);
    let ran = sync(&samba.krb5_conf());
    assert_eq!((ran.status, world.assigned()), (0, people(0..5)), "{ran:?}");

    samba.leave(&group, &samba.person(0));
    let changes_nothing = |ran: &Ran, words: &str| {
        assert_eq!((ran.status, world.assigned()), (1, people(0..5)), "{words}: {ran:?}");
        assert!(problem(&world).contains(words), "{words}: {}", problem(&world));
    };
    fs::remove_file(world.path("tickets")).unwrap();
    changes_nothing(&sync(&samba.krb5_conf()), "There is no ticket, and nothing to get one with: set `keytab`");
    // A keytab, and a domain whose Kerberos servers are gone.
    edit(&world, "[sources.hr]\n", &format!("[sources.hr]\n{}", keytab(&samba)));
    let elsewhere = fs::read_to_string(samba.krb5_conf()).unwrap().replace(&samba.address().to_string(), "127.0.0.1:9");
    fs::write(world.path("krb5.conf"), elsewhere.replace("127.0.0.1:9:88", "127.0.0.1:9")).unwrap();
    changes_nothing(&sync(&world.path("krb5.conf")), "Kerberos servers can't be reached");
    let nowhere = format!("keytab = \"{}\"\n", world.path("nowhere.keytab").display());
    edit(&world, &keytab(&samba), &nowhere);
    changes_nothing(&sync(&samba.krb5_conf()), "Is `keytab` there, is it a keytab, and may this account read it?");
    edit(&world, &nowhere, &keytab(&samba));
    let account = samba.syncer()[0];
    samba.disable(account);
    changes_nothing(&sync(&samba.krb5_conf()), "The account is disabled, locked or gone");
    samba.set(account, "userAccountControl", &["512"]);
    // A name for which there is no ticket.
    let unknown = Wire::before(samba.listens()[1]).tls_url();
    edit(&world, &samba.tls_url(), &unknown);
    changes_nothing(&sync(&samba.krb5_conf()), "Kerberos knows no ldap/localhost");
    edit(&world, &unknown, &samba.tls_url());
    let ran = sync(&samba.krb5_conf());
    assert_eq!((ran.status, world.assigned()), (0, people(1..5)), "{ran:?}");
}
