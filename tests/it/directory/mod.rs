//! Directories: real servers, which the tests start on loopback in folders of their own, and what stands between them
//! and rosterd.
//!
//! - `discovery`: a domain whose servers DNS names.
//! - `dns`: a name server, and a machine that asks it.
//! - `faults`: what breaks on the way, and nobody loses a licence.
//! - `fixtures`: the servers start, serve what was put into them, and are gone afterwards.
//! - `init`: a configuration from a few questions.
//! - `install`: the programs, installed where they are missing.
//! - `kerberos`: tickets instead of passwords.
//! - `limits`: how long is waited, and what happens between two answers.
//! - `pki`: a certification authority for one server.
//! - `job`: the whole of it, once, with the times.
//! - `lives`: what happens to people and groups, and what becomes of their licences.
//! - `proxy`: what goes wrong on the way, message by message.
//! - `push`: changes that a directory tells of.
//! - `reader`: a world whose source is a directory.
//! - `samba`: an Active Directory domain controller.
//! - `server`: a process that ends with its test, however that ends.
//! - `slapd`: OpenLDAP.
//! - `unchanged`: where nothing has changed, nothing is read.
//! - `whole`: what it takes to read a large group whole, what is asked for it, and what is told of it.
//! - `wire`: what goes wrong on the way, byte by byte, under TLS.

mod discovery;
mod dns;
mod faults;
mod fixtures;
mod init;
pub(crate) mod install;
mod job;
#[cfg(feature = "gssapi")]
mod kerberos;
mod limits;
mod lives;
pub(crate) mod pki;
mod proxy;
mod push;
mod reader;
mod samba;
pub(crate) mod server;
mod slapd;
mod unchanged;
mod whole;
mod wire;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// How many members the groups of a crowd have: one beside each edge of what Active Directory hands out at once, and more.
pub(crate) const SIZES: [usize; 7] = [0, 1, 1_499, 1_500, 1_501, 3_001, 13_000];
/// How many people a crowd has.
pub(crate) const CROWD: usize = 13_000;
/// How many people there are in a server that was not asked for a crowd.
pub(crate) const FEW: usize = 20;

/// What the tests do to a directory, whichever it is. Everything happens over LDAP, as its administrator, and at once.
pub(crate) trait Directory {
    /// The DN below which everything is.
    fn base(&self) -> &str;
    /// The DN of the person with this number.
    fn person(&self, number: usize) -> String;
    /// What makes the person with this number: LDIF without the DN.
    fn person_attributes(&self, number: usize) -> String;
    /// What makes a group with these members: LDIF without the DN.
    fn group_attributes(&self, name: &str, members: &[String]) -> String;
    /// Who may do everything: name and password.
    fn admin(&self) -> [&str; 2];
    /// Where the test's own files are.
    fn folder(&self) -> &Path;
    /// Applies change records, as in `ldapmodify`.
    fn change(&self, ldif: &str) {
        server::ldapmodify(self.folder(), &self.ca(), &self.url(), self.admin(), ldif);
    }
    /// What `ldapsearch` prints for this search below the base, as LDIF without comments and wrapping.
    fn search(&self, filter: &str, attributes: &[&str]) -> String {
        let search = [&["-b", self.base(), filter], attributes].concat();
        server::ldapsearch(&self.ca(), &self.url(), self.admin(), &search)
    }
    /// Nobody can log in with this account any more.
    fn disable(&self, dn: &str);
    /// Whom rosterd binds as, and the password.
    fn syncer(&self) -> [&str; 2];
    /// What rosterd has to trust.
    fn ca(&self) -> PathBuf;
    /// Without TLS, or for `StartTLS`.
    fn url(&self) -> String;
    fn tls_url(&self) -> String;

    /// The DN of a group.
    fn group(&self, name: &str) -> String {
        format!("cn={name},ou=Groups,{}", self.base())
    }

    /// The DNs of people with these numbers.
    fn people(&self, numbers: impl IntoIterator<Item = usize>) -> Vec<String>
    where
        Self: Sized,
    {
        numbers.into_iter().map(|number| self.person(number)).collect()
    }

    /// A DN in the folder to which things are moved.
    fn elsewhere(&self, rdn: &str) -> String {
        format!("{rdn},ou=Elsewhere,{}", self.base())
    }

    fn add(&self, dn: &str, attributes: &str) {
        self.change(&format!("dn: {dn}\nchangetype: add\n{attributes}\n"));
    }

    fn add_people(&self, numbers: impl IntoIterator<Item = usize>)
    where
        Self: Sized,
    {
        let mut ldif = String::new();
        for number in numbers {
            let (dn, attributes) = (self.person(number), self.person_attributes(number));
            let _ = write!(ldif, "dn: {dn}\nchangetype: add\n{attributes}\n");
        }
        self.change(&ldif);
    }

    fn add_group(&self, name: &str, members: &[String]) -> String {
        let dn = self.group(name);
        self.add(&dn, &self.group_attributes(name, members));
        dn
    }

    /// Groups `name-1` to `name-DEPTH`, each the only group in the one before, the first one in the last. Each has one
    /// person besides: `name-1` the first of these, and so on. The DN of `name-1`.
    fn add_nest(&self, name: &str, people: &[String]) -> String {
        let depth = people.len();
        let mut members = vec![people[depth - 1].clone()];
        for level in (1..=depth).rev() {
            let dn = self.add_group(&format!("{name}-{level}"), &members);
            if level > 1 {
                members = vec![people[level - 2].clone(), dn];
            }
        }
        let first = self.group(&format!("{name}-1"));
        self.join(&self.group(&format!("{name}-{depth}")), &first);
        first
    }

    fn join(&self, group: &str, member: &str) {
        self.change(&format!("dn: {group}\nchangetype: modify\nadd: member\nmember: {member}\n\n"));
    }

    fn leave(&self, group: &str, member: &str) {
        self.change(&format!("dn: {group}\nchangetype: modify\ndelete: member\nmember: {member}\n\n"));
    }

    /// Sets an attribute to these values; none removes it.
    fn set(&self, dn: &str, attribute: &str, values: &[&str]) {
        let mut ldif = format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n");
        for value in values {
            let _ = writeln!(ldif, "{attribute}: {value}");
        }
        self.change(&format!("{ldif}\n"));
    }

    /// Another name in the same place; the new DN.
    fn rename(&self, dn: &str, rdn: &str) -> String {
        self.change(&format!("dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\n\n"));
        let (_, parent) = dn.split_once(',').unwrap();
        format!("{rdn},{parent}")
    }

    /// The same name in `ou=Elsewhere`; the new DN.
    fn move_away(&self, dn: &str) -> String {
        let (rdn, _) = dn.split_once(',').unwrap();
        let parent = format!("ou=Elsewhere,{}", self.base());
        self.change(&format!(
            "dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {parent}\n\n"
        ));
        format!("{rdn},{parent}")
    }

    fn delete(&self, dn: &str) {
        self.change(&format!("dn: {dn}\nchangetype: delete\n\n"));
    }
}
