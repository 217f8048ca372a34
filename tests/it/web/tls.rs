//! With a certificate.

use std::process::Command;

use super::*;

/// Makes a certificate for this machine that vouches for itself, in the place of the one before: the certificate.
fn certificate(world: &World) -> Vec<u8> {
    let says = "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = more\n[name]\nCN = rosterd\n\
                [more]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = critical, CA:FALSE\n";
    fs::write(world.path("request.cnf"), says).unwrap();
    let made = Command::new("openssl")
        .args("req -x509 -config request.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1".split(' '))
        .args(["-keyout", "new.key", "-out", "new.pem"])
        .current_dir(world.dir.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    fs::rename(world.path("new.key"), world.path("web.key")).unwrap();
    fs::rename(world.path("new.pem"), world.path("web.pem")).unwrap();
    fs::read(world.path("web.pem")).unwrap()
}

fn client(certificate: &[u8]) -> Client {
    let root = reqwest::Certificate::from_pem(certificate).unwrap();
    Client::builder().redirect(Policy::none()).no_proxy().tls_certs_only([root]).build().unwrap()
}

#[test]
fn a_certificate_is_spoken_with_and_a_renewed_one_counts_without_a_new_start() {
    let world = World::new(10);
    put_token(&world);
    let first = certificate(&world);
    let http = "listen = \"127.0.0.1:0\"\ntoken = { file = \"web.token\" }\ncert = \"web.pem\"\nkey = \"web.key\"\n";
    let site = Site::listening(world, http);
    assert!(site.url.starts_with("https://"), "{}", site.url);
    let mut site = Site { client: client(&first), ..site };
    assert_eq!(site.get("/healthz").status, 200);
    let login = site.send(site.request(Method::POST, "/login").form(&[("token", TOKEN), ("next", "/")]));
    assert!(login.header("set-cookie").unwrap().contains("; Secure"), "{login:?}");

    let second = certificate(&site.world);
    let reaches = |client: &Client| {
        let asked = client.get(format!("{}/healthz", site.url)).send();
        site.runtime.block_on(asked).is_ok()
    };
    until("the new one is shown", || reaches(&client(&second)));
    assert!(!reaches(&client(&first)), "the old one is gone");

    fs::write(site.world.path("web.pem"), "half a certif").unwrap();
    assert!(reaches(&client(&second)), "what can't be used changes nothing");
    assert!(log(&site.world).contains("the old certificate is used on"), "{}", log(&site.world));
    site.daemon.signal("TERM");
    assert_eq!(site.daemon.wait(), Some(0));
}

#[test]
fn a_certificate_that_is_not_there_is_said_and_keeps_nobody_from_their_licence() {
    let world = World::new(10);
    world.drop_roster("1.csv", &people(0..3));
    configure_http(&world, "listen = \"127.0.0.1:0\"\ncert = \"web.pem\"\nkey = \"web.key\"\n");
    let _daemon = world.daemon("daemon.log");
    until("everybody has a licence", || world.assigned() == people(0..3));
    until("it is said", || log(&world).contains("not served for want of a certificate"));
    certificate(&world);
    assert!(url(&world).starts_with("https://"));
}
