//! The servers start, serve what was put into them, and are gone afterwards.

use super::samba::Samba;
use super::server::{client, is_dead, is_free};
use super::slapd::{self, Slapd};
use super::{Directory, samba};

#[test]
fn slapd_serves_what_was_put_in_and_is_gone_afterwards() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people([1, 3]));
    slapd.join(&group, &slapd.person(2));
    let found = slapd.search(&format!("(memberOf={group})"), &["mail"]);
    assert_eq!(found.matches("mail: ").count(), 3, "{found}");
    let (pid, listens, folder) = (slapd.server().pid().unwrap(), slapd.listens(), slapd.folder().to_owned());
    drop(slapd);
    assert!(is_dead(pid) && listens.into_iter().all(is_free) && !folder.exists());
}

#[test]
fn samba_serves_what_was_put_in_and_is_gone_afterwards() {
    let samba = Samba::start();
    let group = samba.add_group("staff", &samba.people([1, 3]));
    samba.join(&group, &samba.person(2));
    let found = samba.search(&format!("(memberOf={group})"), &["mail"]);
    assert_eq!(found.matches("mail: ").count(), 3, "{found}");
    let (pid, listens, folder) = (samba.server().pid().unwrap(), samba.listens(), samba.folder().to_owned());
    drop(samba);
    assert!(is_dead(pid) && listens.into_iter().all(is_free) && !folder.exists());
}
