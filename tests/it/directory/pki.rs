//! A certification authority of a server's own, and what it signs.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::install::{program, run};

/// What `openssl ca` wants to know.
const CONFIGURATION: &str = "\
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
default_days = 30
policy = any
copy_extensions = copy
x509_extensions = leaf
[any]
organizationName = optional
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
[req]
distinguished_name = name
[name]
";

/// A folder with `ca.pem` and `ca.key`, and each signed certificate as `NAME.pem` with `NAME.key`.
pub(crate) struct Pki {
    folder: PathBuf,
}

impl Pki {
    pub(crate) fn new(folder: &Path) -> Pki {
        let pki = Pki { folder: folder.to_owned() };
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("ca.cnf"), CONFIGURATION).unwrap();
        fs::write(folder.join("index.txt"), "").unwrap();
        pki.openssl(&[
            "req -x509 -config ca.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem",
            "-days 30 -subj",
            "/O=rosterd tests/CN=authority",
            "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign",
        ]);
        pki
    }

    /// A server's certificate that is right for this address, for `localhost`, and for the first controller of either
    /// domain.
    pub(crate) fn server(&self, name: &str, address: Ipv4Addr) {
        let names = "DNS:localhost,DNS:dc1.example.test,DNS:dc1.ad.example.test";
        self.sign(name, &format!("{names},IP:{address}"), "serverAuth", "");
    }

    /// A server's certificate that is right for another name.
    pub(crate) fn for_another_name(&self, name: &str) {
        self.sign(name, "DNS:elsewhere.example.test", "serverAuth", "");
    }

    /// A server's certificate that was right for this address long ago.
    pub(crate) fn expired(&self, name: &str, address: Ipv4Addr) {
        let long_ago = "-startdate 20200101000000Z -enddate 20200201000000Z";
        self.sign(name, &format!("DNS:localhost,IP:{address}"), "serverAuth", long_ago);
    }

    /// A client's certificate, for `CN=NAME,O=rosterd tests`.
    pub(crate) fn client(&self, name: &str) {
        self.sign(name, &format!("DNS:{name}"), "clientAuth", "");
    }

    /// What clients trust.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub(crate) fn pem(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    fn sign(&self, name: &str, names: &str, usage: &str, dates: &str) {
        self.openssl(&[
            "req -new -config ca.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
            &format!("-keyout {name}.key -out {name}.csr -addext subjectAltName={names} -addext extendedKeyUsage={usage} -subj"),
            &format!("/O=rosterd tests/CN={name}"),
        ]);
        self.openssl(&[
            "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key",
            &format!("-in {name}.csr -out {name}.pem {dates}"),
        ]);
        // Samba takes no other.
        fs::set_permissions(self.key(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Words are parted at spaces, but for a subject, which begins with a slash.
    fn openssl(&self, words: &[&str]) {
        let mut command = Command::new(program("openssl"));
        for words in words {
            if words.starts_with('/') {
                command.arg(words)
            } else {
                command.args(words.split_whitespace())
            };
        }
        run(command.current_dir(&self.folder));
    }
}
