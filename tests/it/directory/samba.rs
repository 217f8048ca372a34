//! Samba as an Active Directory domain controller.
//!
//! Making a domain takes some ten seconds, filling it with a crowd as long again: each is done once, and kept in the
//! build's folder for temporary things. A test works on a copy, at an address of its own: the ports are fixed.
//!
//! A crowd would take Samba ten minutes, each person longer than the one before, because every index is written anew
//! for each. So one person is made as Samba makes them, and the others are written beside, in the same form, while the
//! database has no index but that of its keys; then it gets the others back. The groups are made as Samba makes them.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uuid::Uuid;

use super::install::{alone, as_root, kept, program, run};
use super::pki::Pki;
use super::server::{self, Server, address, folder};
use super::{CROWD, Directory, FEW, SIZES};

const BASE: &str = "dc=ad,dc=example,dc=test";
/// To be raised when what is kept is made in another way.
const RECIPE: u32 = 1;

/// Who may do everything.
pub(crate) const ADMIN: [&str; 2] = ["Administrator@AD.EXAMPLE.TEST", "Adm1n-Passw0rd"];
/// Whom rosterd binds as: an ordinary account, which may also ask for what has changed.
pub(crate) const SYNCER: [&str; 2] = ["CN=syncer,CN=Users,dc=ad,dc=example,dc=test", "Sync3r-Passw0rd"];

const CONFIGURATION: &str = "\
[global]
realm = AD.EXAMPLE.TEST
workgroup = EXAMPLE
netbios name = DC1
server role = active directory domain controller
interfaces = ADDRESS/8
bind interfaces only = yes
server services = ldap, cldap, kdc
private dir = FOLDER/private
state directory = FOLDER/state
cache directory = FOLDER/cache
lock directory = FOLDER/lock
pid directory = FOLDER/run
ncalrpc dir = FOLDER/run/ncalrpc
winbindd socket directory = FOLDER/run/winbindd
ntp signd socket directory = FOLDER/run/ntp_signd
binddns dir = FOLDER/bind-dns
log file = FOLDER/log/log.%m
tls cafile = FOLDER/pki/ca.pem
tls certfile = FOLDER/pki/server.pem
tls keyfile = FOLDER/pki/server.key
ldap server require strong auth = no
disable netbios = yes
load printers = no
printing = bsd
printcap name = /dev/null
[netlogon]
path = FOLDER/sysvol/ad.example.test/scripts
read only = no
[sysvol]
path = FOLDER/sysvol
read only = no
";

/// For clients: no DNS, one controller.
const KRB5: &str = "\
[libdefaults]
default_realm = AD.EXAMPLE.TEST
dns_lookup_realm = false
dns_lookup_kdc = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
[realms]
AD.EXAMPLE.TEST = {
kdc = ADDRESS:88
kpasswd_server = ADDRESS:464
}
";

pub(crate) struct Samba {
    /// Ends before the folder goes.
    server: Option<Server>,
    pub(crate) pki: Pki,
    address: Ipv4Addr,
    folder: TempDir,
}

impl Samba {
    /// A domain with a few people and no group of its own.
    pub(crate) fn start() -> Samba {
        Samba::of(&domain())
    }

    /// A domain with a crowd, and for each of [`SIZES`] a group `size-N` of its first N people.
    pub(crate) fn crowd() -> Samba {
        Samba::of(&crowded_domain())
    }

    fn of(domain: &Path) -> Samba {
        let folder = folder();
        let address = address(389);
        copy(domain, folder.path());
        let pki = Pki::new(&folder.path().join("pki"));
        pki.server("server", address);
        let mut samba = Samba { server: None, pki, address, folder };
        write_configuration(samba.folder(), address);
        fs::write(samba.path("krb5.conf"), KRB5.replace("ADDRESS", &address.to_string())).unwrap();
        samba.as_system(&format!(
            "dn: CN=DC1,OU=Domain Controllers,{BASE}\nchangetype: modify\nadd: servicePrincipalName\n\
             servicePrincipalName: ldap/{address}\n\n"
        ));
        samba.own_keys();
        samba.go_on();
        samba
    }

    /// Samba wants its key to belong to whom it runs as.
    fn own_keys(&self) {
        run(as_root(program("chown")).arg("0:0").arg(self.pki.key("server")));
    }

    /// Starts the server that was stopped, on what it had, at the same address.
    pub(crate) fn go_on(&mut self) {
        let (samba, configuration) = (program("samba"), configuration(self.folder()));
        let words = [samba.to_str().unwrap(), "--foreground", "--no-process-group", "-M", "single"];
        let words = [&words[..], &["--debug-stdout", "-d", "1", &configuration]].concat();
        self.server = Some(Server::start(as_root("/bin/sh"), self.folder.path(), &words, &self.listens()));
    }

    /// From now on it takes passwords over TLS alone, as a domain does whose administrators have heard of relays.
    #[cfg(feature = "gssapi")]
    pub(crate) fn harden(&mut self) {
        self.stop();
        let text = fs::read_to_string(self.path("smb.conf")).unwrap();
        let hard = "require strong auth = allow_sasl_over_tls";
        fs::write(self.path("smb.conf"), text.replace("require strong auth = no", hard)).unwrap();
        self.go_on();
    }

    /// Stops the server; what it has stays.
    pub(crate) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }

    /// Where it listens: LDAP, LDAPS, and Kerberos.
    pub(crate) fn listens(&self) -> [SocketAddr; 3] {
        [389, 636, 88].map(|port| (self.address, port).into())
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// For `KRB5_CONFIG`.
    pub(crate) fn krb5_conf(&self) -> PathBuf {
        self.path("krb5.conf")
    }

    /// The key of `syncer@AD.EXAMPLE.TEST`.
    pub(crate) fn keytab(&self) -> PathBuf {
        self.path("syncer.keytab")
    }

    /// A change that no client may make, written past the server into what it reads from.
    pub(crate) fn as_system(&self, ldif: &str) {
        edit(self.folder(), "ldbmodify", "private/sam.ldb", ldif);
    }

    /// Too many wrong passwords: the account is locked for a while, and not disabled.
    pub(crate) fn lock(&self, dn: &str) {
        self.as_system(&format!(
            "dn: {dn}\nchangetype: modify\nreplace: lockoutTime\nlockoutTime: 134000000000000000\n\n"
        ));
    }

    /// The account's end is past.
    pub(crate) fn expire(&self, dn: &str) {
        self.set(dn, "accountExpires", &["132000000000000000"]);
    }

    /// Makes a group the person's primary one, of which they have to be a member: `member` no longer names them.
    pub(crate) fn make_primary(&self, group: &str, person: &str) {
        let search = ["-b", group, "-s", "base", "(objectClass=*)", "primaryGroupToken"];
        let found = server::ldapsearch(&self.pki.ca(), &self.url(), ADMIN, &search);
        let token = found.lines().find_map(|line| line.strip_prefix("primaryGroupToken: ")).unwrap();
        self.set(person, "primaryGroupID", &[token]);
    }

    pub(crate) fn add_contact(&self, name: &str) -> String {
        let dn = format!("CN={name},ou=People,{BASE}");
        self.add(&dn, &format!("objectClass: contact\nmail: {name}@contoso.com\n"));
        dn
    }

    pub(crate) fn add_computer(&self, name: &str) -> String {
        let dn = format!("CN={name},CN=Computers,{BASE}");
        let attributes = "userAccountControl: 4096\n";
        self.add(&dn, &format!("objectClass: computer\nsAMAccountName: {name}$\n{attributes}"));
        dn
    }

    /// The object's `objectGUID`.
    pub(crate) fn stable_id(&self, dn: &str) -> String {
        let found = raw(self.folder(), "private/sam.ldb", &["-b", dn, "-s", "base", "objectGUID"]);
        found.lines().find_map(|line| line.strip_prefix("objectGUID: ")).unwrap().to_owned()
    }
}

impl Directory for Samba {
    fn base(&self) -> &str {
        BASE
    }

    fn person(&self, number: usize) -> String {
        person(number)
    }

    fn person_attributes(&self, number: usize) -> String {
        person_attributes(number)
    }

    fn group_attributes(&self, name: &str, members: &[String]) -> String {
        group_attributes(name, members)
    }

    fn admin(&self) -> [&str; 2] {
        ADMIN
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn disable(&self, dn: &str) {
        self.set(dn, "userAccountControl", &["514"]);
    }

    fn syncer(&self) -> [&str; 2] {
        SYNCER
    }

    fn ca(&self) -> PathBuf {
        self.pki.ca()
    }

    fn url(&self) -> String {
        format!("ldap://{}", self.address)
    }

    fn tls_url(&self) -> String {
        format!("ldaps://{}", self.address)
    }
}

fn person(number: usize) -> String {
    format!("CN=p{number:05},ou=People,{BASE}")
}

/// Over LDAP, somebody without a password can't be more than this: able to log in as soon as they have one.
fn person_attributes(number: usize) -> String {
    format!(
        "objectClass: user\nsAMAccountName: p{number:05}\nuserPrincipalName: p{number:05}@ad.example.test\n\
         mail: p{number:05}@contoso.com\nuserAccountControl: 544\n"
    )
}

/// A universal security group.
fn group_attributes(name: &str, members: &[String]) -> String {
    let mut attributes = format!("objectClass: group\nsAMAccountName: {name}\ngroupType: -2147483640\n");
    for member in members {
        let _ = writeln!(attributes, "member: {member}");
    }
    attributes
}

/// The folder of a domain with a few people, made if need be.
fn domain() -> PathBuf {
    keep("domain", |folder| {
        provision(folder);
        let mut ldif = String::new();
        for unit in ["People", "Groups", "Elsewhere"] {
            let _ = write!(ldif, "dn: OU={unit},{BASE}\nobjectClass: organizationalUnit\n\n");
        }
        for number in 0..FEW {
            let _ = write!(ldif, "dn: {}\n{}\n", person(number), person_attributes(number));
        }
        edit(folder, "ldbadd", "private/sam.ldb", &ldif);
    })
}

/// The folder of a domain with a crowd, made if need be.
fn crowded_domain() -> PathBuf {
    let domain = domain();
    keep("crowd", |folder| {
        copy(&domain, folder);
        write_configuration(folder, Ipv4Addr::LOCALHOST);
        add_crowd(folder);
        let mut ldif = String::new();
        for size in SIZES {
            let (name, members) = (format!("size-{size}"), (0..size).map(person).collect::<Vec<_>>());
            let _ = write!(ldif, "dn: CN={name},OU=Groups,{BASE}\n{}\n", group_attributes(&name, &members));
        }
        edit(folder, "ldbadd", "private/sam.ldb", &ldif);
    })
}

/// What is kept under this name, for this version of Samba; made by the first who asks, while the others wait.
fn keep(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let _alone = alone(&format!("samba-{name}"));
    let version = run(std::process::Command::new(program("samba")).arg("--version"));
    let version = version.split_whitespace().last().unwrap().to_owned();
    let place = kept(&format!("samba-{version}-{RECIPE}-{name}"));
    if !place.exists() {
        let making = folder();
        make(making.path());
        run(as_root("/bin/cp").arg("-a").arg(making.path()).arg(&place));
        // What root has made, root removes.
        run(as_root("/bin/rm").arg("-rf").arg(making.path()));
    }
    place
}

/// Copies what a domain has, and neither its configuration nor its keys.
fn copy(domain: &Path, folder: &Path) {
    let mut command = as_root("/bin/cp");
    command.arg("-a");
    for part in ["private", "state", "cache", "lock", "sysvol", "syncer.keytab"] {
        command.arg(domain.join(part));
    }
    run(command.arg(folder));
    for part in ["run/ncalrpc", "log", "bind-dns"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
}

fn write_configuration(folder: &Path, address: Ipv4Addr) {
    let text = CONFIGURATION.replace("FOLDER", folder.to_str().unwrap()).replace("ADDRESS", &address.to_string());
    fs::write(folder.join("smb.conf"), text).unwrap();
}

fn configuration(folder: &Path) -> String {
    format!("--configfile={}", folder.join("smb.conf").display())
}

fn samba_tool(folder: &Path, words: &[&str]) {
    run(as_root(program("samba-tool")).args(words).arg(configuration(folder)));
}

fn provision(folder: &Path) {
    for part in ["private", "state", "cache", "lock", "run/ncalrpc", "log", "sysvol/ad.example.test/scripts"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    write_configuration(folder, Ipv4Addr::LOCALHOST);
    let password = format!("--adminpass={}", ADMIN[1]);
    let words = ["domain", "provision", "--realm=AD.EXAMPLE.TEST", "--domain=EXAMPLE", "--server-role=dc", &password];
    samba_tool(folder, &[&words[..], &["--dns-backend=NONE", "--host-name=dc1", "--host-ip=127.0.0.1"]].concat());
    samba_tool(folder, &["user", "create", "syncer", SYNCER[1]]);
    let keytab = folder.join("syncer.keytab");
    samba_tool(folder, &["domain", "exportkeytab", keytab.to_str().unwrap(), "--principal=syncer"]);
    run(as_root("/bin/chmod").arg("644").arg(keytab));
    let found = raw(folder, "private/sam.ldb", &["(sAMAccountName=syncer)", "objectSid"]);
    let sid = found.lines().find_map(|line| line.strip_prefix("objectSid: ")).unwrap();
    let right = format!("--sddl=(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;{sid})");
    let database = format!("tdb://{}/private/sam.ldb", folder.display());
    samba_tool(folder, &["dsacl", "set", "-H", &database, &format!("--objectdn={BASE}"), &right]);
}

/// Writes everybody after the first few as the first one is written.
fn add_crowd(folder: &Path) {
    let file = "private/sam.ldb.d/DC=AD,DC=EXAMPLE,DC=TEST.ldb";
    let first = raw(folder, file, &["(cn=p00000)"]);
    let sid = first.lines().find_map(|line| line.strip_prefix("objectSid: ")).unwrap();
    let (domain, _) = sid.rsplit_once('-').unwrap();
    let mut crowd = String::new();
    for number in FEW..CROWD {
        for line in first.lines() {
            let _ = match line.split(": ").next().unwrap() {
                "objectGUID" => writeln!(crowd, "objectGUID: {}", Uuid::now_v7()),
                "objectSid" => writeln!(crowd, "objectSid: {domain}-{}", 100_000 + number),
                _ => writeln!(crowd, "{}", line.replace("p00000", &format!("p{number:05}"))),
            };
        }
    }
    let index = raw(folder, file, &["-b", "@INDEXLIST", "-s", "base", "@IDXATTR"]).replace("dn: @INDEXLIST\n", "");
    let change = "dn: @INDEXLIST\nchangetype: modify";
    edit(folder, "ldbmodify", file, &format!("{change}\ndelete: @IDXATTR\n-\ndelete: @IDXONE\n\n"));
    edit(folder, "ldbadd", file, &crowd);
    edit(folder, "ldbmodify", file, &format!("{change}\nadd: @IDXONE\n@IDXONE: 1\n-\nadd: @IDXATTR\n{index}"));
}

fn database(folder: &Path, file: &str) -> String {
    format!("tdb://{}/{file}", folder.display())
}

/// What a database holds, without comments, wrapping, and the names that it puts to everything.
fn raw(folder: &Path, file: &str, search: &[&str]) -> String {
    let (configuration, database) = (configuration(folder), database(folder, file));
    let found = run(as_root(program("ldbsearch")).args([&configuration, "-H", &database]).args(search));
    let found = found.replace("\n ", "");
    let wanted = |line: &&str| !line.starts_with('#') && !line.starts_with("distinguishedName: ");
    found.lines().filter(wanted).flat_map(|line| [line, "\n"]).collect()
}

/// Has a tool of the database's read this.
fn edit(folder: &Path, tool: &str, file: &str, ldif: &str) {
    let input = folder.join("edit.ldif");
    fs::write(&input, ldif).unwrap();
    let database = database(folder, file);
    run(as_root(program(tool)).args([&configuration(folder), "--nosync", "-H", &database]).arg(input));
}
