//! `rosterd init` with a directory.

use std::fs;

use super::Directory;
use super::slapd::Slapd;
use crate::world::{ID, World, people};

#[test]
fn a_directory_is_tried_before_anything_is_written() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people([1, 3]));
    let world = World::new(10);
    fs::remove_file(world.path("rosterd.toml")).unwrap();
    let [name, password] = slapd.syncer();
    fs::write(world.path("directory.password"), password).unwrap();
    let (id, url, ca) = (ID.to_string(), slapd.tls_url(), slapd.ca().display().to_string());
    let init = |group: &str| {
        let who =
            ["init", "--yes", "--name", "contoso", "--type", "Manual", "--id", &id, "--base-url", &world.base_url];
        let what = ["--api-key-file", "contoso.key", "--ldap", &url, "--ca-file", &ca, "--group", group];
        let bind = ["--bind-dn", name, "--bind-password-file", "directory.password"];
        world.run(&[&who[..], &what, &bind].concat())
    };
    let wrong = init("cn=nobody,dc=example,dc=test");
    assert_eq!(wrong.status, 1, "{}", wrong.stderr);
    assert!(!world.path("rosterd.toml").exists());
    let ran = init(&group);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("2 people"), "it says how many the group has: {}", ran.stderr);
    world.run_to(0, &["check"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people([1, 3]));
}
