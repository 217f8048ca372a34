//! What the package carries is of this program, and its unit is sound. `.ci/package` builds it and tries its whole life.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::directory::install::program;
use crate::world::World;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn manual_and_completions_are_those_of_this_program() {
    let world = World::new(1);
    let made = [
        (&["man"][..], "package/rosterd.1"),
        (&["completions", "bash"], "package/rosterd.bash"),
        (&["completions", "zsh"], "package/_rosterd"),
        (&["completions", "fish"], "package/rosterd.fish"),
    ];
    for (command, name) in made {
        let carried = fs::read_to_string(file(name)).unwrap();
        assert!(world.run_to(0, command).stdout == carried, "{name} is out of date: run package/generate");
    }
}

#[test]
fn the_packages_configuration_is_one() {
    let world = World::new(1);
    let text = fs::read_to_string(file("package/rosterd.toml")).unwrap();
    let folder = world.path("").display().to_string();
    fs::write(world.path("packaged.toml"), text.replace("/var/lib/rosterd/", &folder)).unwrap();
    let ran = world.run_to(0, &["--config", "packaged.toml", "check"]);
    assert!(ran.stdout.contains("ok     configuration"), "{ran:?}");
}

/// Whoever gives packages out writes their own address into both.
#[test]
fn the_maintainer_is_the_same_everywhere() {
    let manifest = fs::read_to_string(file("Cargo.toml")).unwrap();
    let changelog = fs::read_to_string(file("package/changelog")).unwrap();
    let said = manifest.lines().find_map(|line| line.strip_prefix("maintainer = \"")?.strip_suffix('"')).unwrap();
    assert!(changelog.contains(&format!("\n -- {said}  ")), "{said} is not who signs {changelog}");
    let version = format!("rosterd ({}) ", env!("CARGO_PKG_VERSION"));
    assert!(changelog.starts_with(&version), "{version} is not what {changelog} begins with");
}

#[test]
fn the_unit_is_hardened() {
    let mut analyze = Command::new(program("systemd-analyze"));
    analyze.args(["security", "--offline=true", "--threshold=20", "--no-pager"]).arg(file("config/rosterd.service"));
    let ran = analyze.output().unwrap();
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn systemd_has_nothing_to_say_about_the_unit() {
    let world = World::new(1);
    let unit = fs::read_to_string(file("config/rosterd.service")).unwrap();
    // The program is not installed here.
    let unit = unit.replace("/usr/bin/rosterd", env!("CARGO_BIN_EXE_rosterd"));
    fs::write(world.path("rosterd.service"), unit).unwrap();
    let mut analyze = Command::new(program("systemd-analyze"));
    let ran = analyze.args(["verify", "--man=no"]).arg(world.path("rosterd.service")).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && !said.contains("rosterd"), "{said}");
}
