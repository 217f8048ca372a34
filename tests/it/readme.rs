//! What the README shows is what there is.

use std::fs;
use std::path::Path;

use crate::world::World;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_printed_plan_is_what_the_binary_prints() {
    let world = World::new(4);
    world.drop_file("monday.csv", "email,id\nada@contoso.com,1\nalan@contoso.com,2\ngrace@contoso.com,3\n");
    world.run_to(0, &["sync"]);
    world.drop_file(
        "tuesday.csv",
        "email,id\nalan@contoso.com,2\ngrace.hopper@contoso.com,3\nbarbara@contoso.com,4\ndennis@contoso.com,5\nedsger@contoso.com,6\n",
    );
    let plan = world.run_to(3, &["plan"]).stdout;
    let readme = file("README.md");
    let shown = readme.split_once("$ rosterd plan\n").unwrap().1.split_once("```").unwrap().0;
    // The moment is another one.
    let lines =
        |text: &str| text.lines().map(|line| line.split(" since ").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(shown), lines(&plan));
}

#[test]
fn the_shown_configuration_is_one() {
    let readme = file("README.md");
    let shown = readme.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let world = World::new(1);
    fs::create_dir(world.path("clients")).unwrap();
    fs::write(world.path("clients/contoso.toml"), shown).unwrap();
    let main = file("package/rosterd.toml").replace("/var/lib/rosterd", &world.path("").display().to_string());
    fs::write(world.path("shown.toml"), main).unwrap();
    // Its key is missing here, and its server is the real one: reading it is as far as this goes.
    let ran = world.run_to(1, &["--config", "shown.toml", "status"]);
    assert!(ran.stderr.contains("there is no ledger"), "{}", ran.stderr);
}
