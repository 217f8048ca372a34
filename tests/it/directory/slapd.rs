//! OpenLDAP, as a company that has thought about it runs it: an account for rosterd that no limit stops, limits for all
//! others, `memberOf` kept by the server, and a log for those who listen for changes.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::install::{program, run};
use super::pki::Pki;
use super::server::{self, Server, address, folder};
use super::{CROWD, Directory, FEW, SIZES};

const BASE: &str = "dc=example,dc=test";
const PORT: u16 = 3389;
const TLS_PORT: u16 = 3636;

/// Who may do everything, and is never limited.
pub(crate) const ADMIN: [&str; 2] = ["cn=admin,dc=example,dc=test", "admin-pw"];
/// Who may change the server's own configuration.
const CONFIG: [&str; 2] = ["cn=config", "config-pw"];
/// Whom rosterd binds as: no limit stops this account. With a client certificate for `syncer` it is the same one.
pub(crate) const SYNCER: [&str; 2] = ["cn=syncer,ou=Services,dc=example,dc=test", "syncer-pw"];
/// Somebody with the limits that everybody has: 500 entries, pages of 500.
pub(crate) const LIMITED: [&str; 2] = ["cn=limited,ou=Services,dc=example,dc=test", "limited-pw"];

const CONFIGURATION: &str = r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload syncprov
moduleload retcode
pidfile FOLDER/slapd.pid
TLSCACertificateFile FOLDER/pki/ca.pem
TLSCertificateFile FOLDER/pki/server.pem
TLSCertificateKeyFile FOLDER/pki/server.key
TLSVerifyClient try
authz-regexp "^cn=([^,]+),o=rosterd tests$" "cn=$1,ou=Services,dc=example,dc=test"

database config
rootdn cn=config
rootpw config-pw

database mdb
suffix "dc=example,dc=test"
rootdn "cn=admin,dc=example,dc=test"
rootpw admin-pw
directory FOLDER/data
maxsize 1073741824
dbnosync
index objectClass,entryUUID,entryCSN eq
index uid,employeeNumber,mail eq
index member,uniqueMember,memberOf,memberUid eq
sortvals member uniqueMember memberUid
multival member,uniqueMember,memberUid 1000,100
access to attrs=userPassword by anonymous auth by * none
access to * by * read
limits dn.exact="cn=syncer,ou=Services,dc=example,dc=test" size=unlimited time=unlimited
limits * size.soft=500 size.hard=500 size.pr=500 size.prtotal=unlimited time.soft=60 time.hard=60
overlay memberof
memberof-group-oc groupOfNames
memberof-member-ad member
memberof-memberof-ad memberOf
memberof-dangling ignore
memberof-refint true
overlay memberof
memberof-group-oc groupOfUniqueNames
memberof-member-ad uniqueMember
memberof-memberof-ad memberOf
memberof-dangling ignore
memberof-refint true
overlay retcode
retcode-parent "ou=Errors,dc=example,dc=test"
retcode-item "cn=busy" 0x33 text="too busy"
retcode-item "cn=unavailable" 0x34
retcode-item "cn=timelimit" 0x03
retcode-item "cn=slow" 0x00 sleeptime=10
retcode-item "cn=drop" 0x00 flags=pre-disconnect
retcode-item "cn=notice" 0x34 unsolicited=1.3.6.1.4.1.1466.20036 flags=post-disconnect
retcode-item "cn=referral" 0x0a ref="ldap://127.0.0.1:9/dc=elsewhere,dc=test"
overlay syncprov
syncprov-checkpoint 100 5
syncprov-sessionlog 10000
"#;

/// What is there before anybody: the folders, and who binds.
const SKELETON: &str = "\
dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=People,dc=example,dc=test
objectClass: organizationalUnit
ou: People

dn: ou=Groups,dc=example,dc=test
objectClass: organizationalUnit
ou: Groups

dn: ou=Elsewhere,dc=example,dc=test
objectClass: organizationalUnit
ou: Elsewhere

dn: ou=Errors,dc=example,dc=test
objectClass: organizationalUnit
ou: Errors

dn: ou=Services,dc=example,dc=test
objectClass: organizationalUnit
ou: Services

dn: cn=syncer,ou=Services,dc=example,dc=test
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: syncer
userPassword: syncer-pw

dn: cn=limited,ou=Services,dc=example,dc=test
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: limited
userPassword: limited-pw

";

pub(crate) struct Slapd {
    /// Ends before the folder goes.
    server: Option<Server>,
    pub(crate) pki: Pki,
    address: Ipv4Addr,
    folder: TempDir,
}

impl Slapd {
    /// A server with a few people and no group.
    pub(crate) fn start() -> Slapd {
        Slapd::with_people(FEW)
    }

    /// A server with a crowd, and for each of [`SIZES`] a group `size-N` of its first N people.
    pub(crate) fn crowd() -> Slapd {
        let slapd = Slapd::with_people(CROWD);
        slapd.add_groups();
        slapd
    }

    /// As [`Slapd::crowd`], and entries do not know their groups.
    pub(crate) fn crowd_without_member_of() -> Slapd {
        let lines = CONFIGURATION.lines().filter(|line| *line != "overlay memberof" && !line.starts_with("memberof-"));
        let slapd = Slapd::with(CROWD, &lines.collect::<Vec<_>>().join("\n"), None);
        slapd.add_groups();
        slapd
    }

    /// A server that tells nobody of changes.
    pub(crate) fn without_syncprov() -> Slapd {
        let lines = CONFIGURATION.lines().filter(|line| !line.contains("syncprov"));
        Slapd::with(FEW, &lines.collect::<Vec<_>>().join("\n"), None)
    }

    /// A server with so many people, all of whom are in the group `all`.
    pub(crate) fn with_all(number: usize) -> Slapd {
        Slapd::with(number, CONFIGURATION, Some("all"))
    }

    /// A server with so many people.
    pub(crate) fn with_people(number: usize) -> Slapd {
        Slapd::with(number, CONFIGURATION, None)
    }

    fn add_groups(&self) {
        for size in SIZES {
            self.add_group(&format!("size-{size}"), &self.people(0..size));
        }
    }

    /// `everybody` is the name of a group that all people are in.
    fn with(number: usize, configuration: &str, everybody: Option<&str>) -> Slapd {
        let folder = folder();
        let path = folder.path();
        let address = address(PORT);
        let pki = Pki::new(&path.join("pki"));
        pki.server("server", address);
        fs::create_dir(path.join("data")).unwrap();
        fs::create_dir(path.join("slapd.d")).unwrap();
        let configuration = configuration.replace("FOLDER", path.to_str().unwrap());
        fs::write(path.join("slapd.conf"), configuration).unwrap();
        let mut slapd = Slapd { server: None, pki, address, folder };
        slapd.load(number, everybody);
        slapd.go_on();
        slapd
    }

    /// Loads the first people, and turns the configuration into one that can be changed at run time. In this order: the
    /// second opens what the first has made.
    fn load(&self, number: usize, everybody: Option<&str>) {
        let mut ldif = SKELETON.to_owned();
        // The tool runs no overlay: that somebody is a member is written here.
        let member_of = everybody.map(|name| format!("memberOf: {}\n", self.group(name))).unwrap_or_default();
        for number in 0..number {
            let _ = write!(ldif, "dn: {}\n{}{member_of}\n", self.person(number), self.person_attributes(number));
        }
        if let Some(name) = everybody {
            let attributes = self.group_attributes(name, &self.people(0..number));
            let _ = write!(ldif, "dn: {}\n{attributes}\n", self.group(name));
        }
        fs::write(self.path("first.ldif"), ldif).unwrap();
        // A copy: where AppArmor confines OpenLDAP to the system's own folders, it knows it by its path.
        // By another process: what one has open to write can't be started, and a test beside this one may be starting
        // something just now, which has all that is open here until it begins.
        run(Command::new("cp").arg(program("slapd")).arg(self.path("slapd")));
        let tool = |words: &[&str]| run(Command::new(self.path("slapd")).args(words).current_dir(self.folder()));
        tool(&["-Tadd", "-q", "-w", "-f", "slapd.conf", "-b", BASE, "-l", "first.ldif"]);
        tool(&["-Ttest", "-f", "slapd.conf", "-F", "slapd.d"]);
    }

    /// Starts the server that was stopped, on what it had, at the same address.
    pub(crate) fn go_on(&mut self) {
        let urls = format!("{} {}", self.url(), self.tls_url());
        let (slapd, configuration) = (self.path("slapd"), self.path("slapd.d"));
        let words = [slapd.to_str().unwrap(), "-F", configuration.to_str().unwrap(), "-d", "stats", "-h", &urls];
        self.server = Some(Server::start(Command::new("sh"), self.folder.path(), &words, &self.listens()));
    }

    /// Stops the server; what it has stays.
    pub(crate) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Where it listens.
    pub(crate) fn listens(&self) -> [SocketAddr; 2] {
        [(self.address, PORT).into(), (self.address, TLS_PORT).into()]
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the limits of everybody but rosterd's account; at once, for connections that come from now on.
    pub(crate) fn limit(&self, limits: &str) {
        let syncer = format!("{{0}}dn.exact=\"{}\" size=unlimited time=unlimited", SYNCER[0]);
        self.configure("olcDatabase={1}mdb,cn=config", "olcLimits", &[&syncer, &format!("{{1}}* {limits}")]);
    }

    /// Shows this certificate of [`Slapd::pki`] to connections that come from now on.
    pub(crate) fn show_certificate(&self, name: &str) {
        let (pem, key) = (self.pki.pem(name), self.pki.key(name));
        let change = format!(
            "dn: cn=config\nchangetype: modify\nreplace: olcTLSCertificateFile\nolcTLSCertificateFile: {}\n-\n\
             replace: olcTLSCertificateKeyFile\nolcTLSCertificateKeyFile: {}\n\n",
            pem.display(),
            key.display()
        );
        server::ldapmodify(self.folder(), &self.pki.ca(), &self.url(), CONFIG, &change);
    }

    /// Sets an attribute of the server's own configuration.
    pub(crate) fn configure(&self, dn: &str, attribute: &str, values: &[&str]) {
        let mut ldif = format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n");
        for value in values {
            let _ = writeln!(ldif, "{attribute}: {value}");
        }
        server::ldapmodify(self.folder(), &self.pki.ca(), &self.url(), CONFIG, &format!("{ldif}\n"));
    }

    /// A `posixGroup`, whose members are the `uid`s of people.
    pub(crate) fn add_posix_group(&self, name: &str, uids: &[&str]) -> String {
        let dn = self.group(name);
        let mut attributes = format!("objectClass: posixGroup\ncn: {name}\ngidNumber: 5000\n");
        for uid in uids {
            let _ = writeln!(attributes, "memberUid: {uid}");
        }
        self.add(&dn, &attributes);
        dn
    }

    /// A `groupOfUniqueNames`.
    pub(crate) fn add_unique_group(&self, name: &str, members: &[String]) -> String {
        let dn = self.group(name);
        let mut attributes = format!("objectClass: groupOfUniqueNames\ncn: {name}\n");
        for member in members {
            let _ = writeln!(attributes, "uniqueMember: {member}");
        }
        self.add(&dn, &attributes);
        dn
    }

    /// The entry's `entryUUID`.
    pub(crate) fn stable_id(&self, dn: &str) -> String {
        let search = ["-b", dn, "-s", "base", "(objectClass=*)", "entryUUID"];
        let found = server::ldapsearch(&self.pki.ca(), &self.url(), ADMIN, &search);
        found.lines().find_map(|line| line.strip_prefix("entryUUID: ")).unwrap().to_owned()
    }
}

impl Directory for Slapd {
    fn base(&self) -> &str {
        BASE
    }

    fn person(&self, number: usize) -> String {
        format!("uid=p{number:05},ou=People,{BASE}")
    }

    fn person_attributes(&self, number: usize) -> String {
        format!(
            "objectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: extensibleObject\nuid: p{number:05}\n\
             cn: Person {number}\nsn: Number {number}\nmail: p{number:05}@contoso.com\nuidNumber: {}\n\
             gidNumber: 5000\nhomeDirectory: /nowhere\n",
            10_000 + number
        )
    }

    /// A group may not be without members: one that would be has a member that does not exist.
    fn group_attributes(&self, name: &str, members: &[String]) -> String {
        let mut attributes = format!("objectClass: groupOfNames\ncn: {name}\n");
        for member in members {
            let _ = writeln!(attributes, "member: {member}");
        }
        if members.is_empty() {
            attributes.push_str("member: cn=nobody\n");
        }
        attributes
    }

    fn admin(&self) -> [&str; 2] {
        ADMIN
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// OpenLDAP itself knows no such thing: this is what 389 Directory Server calls it.
    fn disable(&self, dn: &str) {
        self.set(dn, "nsAccountLock", &["TRUE"]);
    }

    fn syncer(&self) -> [&str; 2] {
        SYNCER
    }

    fn ca(&self) -> PathBuf {
        self.pki.ca()
    }

    fn url(&self) -> String {
        format!("ldap://{}:{PORT}", self.address)
    }

    fn tls_url(&self) -> String {
        format!("ldaps://{}:{TLS_PORT}", self.address)
    }
}
