//! OpenLDAP on loopback, with a large group in a larger directory.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use crate::world::address;

const BASE: &str = "dc=example,dc=test";
pub const GROUP: &str = "cn=staff,ou=Groups,dc=example,dc=test";
/// Whom no limit stops.
pub const READER: [&str; 2] = ["cn=reader,dc=example,dc=test", "reader-pw"];
/// Who may change everything.
pub const ADMIN: [&str; 2] = ["cn=admin,dc=example,dc=test", "admin-pw"];

const CONFIGURATION: &str = r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload syncprov
pidfile FOLDER/slapd.pid

database mdb
suffix "dc=example,dc=test"
rootdn "cn=admin,dc=example,dc=test"
rootpw admin-pw
directory FOLDER/data
maxsize 17179869184
dbnosync
index objectClass,entryUUID,entryCSN eq
index uid,mail eq
index member,memberOf eq
sortvals member
multival member 1000,100
access to attrs=userPassword by anonymous auth by * none
access to * by * read
limits dn.exact="cn=reader,dc=example,dc=test" size=unlimited time=unlimited
overlay memberof
memberof-dangling ignore
memberof-refint true
overlay syncprov
syncprov-checkpoint 100 5
syncprov-sessionlog 10000
"#;

pub struct Slapd {
    process: Child,
    listens: SocketAddr,
    folder: TempDir,
}

impl Slapd {
    /// A directory of so many people, the first `members` of whom are in [`GROUP`].
    pub fn new(people: usize, members: usize) -> Slapd {
        let folder = TempDir::with_prefix("rosterd-").unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("data")).unwrap();
        fs::write(path("slapd.conf"), CONFIGURATION.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
        // A copy: where AppArmor confines OpenLDAP to the system's own folders, it knows it by its path.
        fs::copy(installed(), path("slapd")).unwrap();
        write_people(&path("people.ldif"), people, members);
        let mut load = Command::new(path("slapd"));
        load.args(["-Tadd", "-q", "-w", "-f", "slapd.conf", "-b", BASE, "-l", "people.ldif"]);
        let loaded = load.current_dir(folder.path()).output().unwrap();
        assert!(loaded.status.success(), "{loaded:?}");
        fs::remove_file(path("people.ldif")).unwrap();
        let listens = free_address();
        let url = format!("ldap://{listens}");
        let mut serve = Command::new("setpriv");
        serve.args(["--pdeathsig", "KILL"]).arg(path("slapd"));
        serve.args(["-f", "slapd.conf", "-d", "0", "-h", &url]).current_dir(folder.path());
        let process = serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut slapd = Slapd { process, listens, folder };
        while TcpStream::connect(listens).is_err() {
            let ended = slapd.process.try_wait().unwrap();
            assert!(ended.is_none(), "slapd has ended: {ended:?}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        slapd
    }

    pub fn listens(&self) -> SocketAddr {
        self.listens
    }

    /// `ldapsearch` by pages, what it prints thrown away.
    pub fn search(&self, page: usize, words: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exec ldapsearch \"$@\" > /dev/null", "sh", "-x", "-LLL", "-o", "ldif-wrap=no"]);
        command.args(["-H", &format!("ldap://{}", self.listens), "-D", READER[0], "-w", READER[1], "-b", BASE]);
        if page > 0 {
            command.args(["-E", &format!("pr={page}/noprompt")]);
        }
        command.args(words).env("HOME", "/nonexistent");
        command
    }

    /// The group loses its first member where `is_in`, or gets them back.
    pub fn move_first(&self, is_in: bool) {
        let file = self.folder.path().join("change.ldif");
        let verb = if is_in { "delete" } else { "add" };
        let member = format!("member: {}", person(0));
        fs::write(&file, format!("dn: {GROUP}\nchangetype: modify\n{verb}: member\n{member}\n\n")).unwrap();
        let mut command = Command::new("ldapmodify");
        command.args(["-x", "-H", &format!("ldap://{}", self.listens), "-D", ADMIN[0], "-w", ADMIN[1], "-f"]);
        let changed = command.arg(file).env("HOME", "/nonexistent").output().unwrap();
        assert!(changed.status.success(), "{changed:?}");
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn person(number: usize) -> String {
    format!("uid=p{number:07},ou=People,{BASE}")
}

/// Everybody, and the group. The loader runs no overlay: that of `memberOf` is written here.
fn write_people(file: &std::path::Path, people: usize, members: usize) {
    let mut out = BufWriter::new(fs::File::create(file).unwrap());
    let mut text = format!("dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n");
    for unit in ["People", "Groups"] {
        let _ = write!(text, "dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n\n");
    }
    let _ = write!(
        text,
        "dn: {}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: {}\n\n",
        READER[0], READER[1]
    );
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..people {
        let _ = write!(
            text,
            "dn: {}\nobjectClass: inetOrgPerson\nuid: p{number:07}\ncn: Person Number {number}\nsn: Number {number}\n\
             mail: {}\nemployeeNumber: {number}\ntitle: Consultant\ndepartmentNumber: {}\ntelephoneNumber: +49 30 {number}\n\
             entryUUID: {}\n",
            person(number),
            address(number),
            number % 50,
            Uuid::from_u128(random.u128(..))
        );
        text.push_str(if number < members { "memberOf: cn=staff,ou=Groups,dc=example,dc=test\n\n" } else { "\n" });
        out.write_all(text.as_bytes()).unwrap();
        text.clear();
    }
    let _ = write!(text, "dn: {GROUP}\nobjectClass: groupOfNames\ncn: staff\n");
    for number in 0..members {
        let _ = writeln!(text, "member: {}", person(number));
    }
    out.write_all(text.as_bytes()).unwrap();
    out.flush().unwrap();
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

fn installed() -> PathBuf {
    ["/usr/sbin/slapd", "/usr/lib/openldap/slapd"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
        .expect("slapd is installed (tests/it/directory/install.sh does it)")
}
