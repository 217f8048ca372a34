//! What watches the daemon: health. And where the demonstration serves its pages.

use std::process::{Command, Stdio};

use super::*;

#[test]
fn health_says_a_word_and_why_not() {
    let mut site = Site::new(World::new(10));
    assert_eq!(site.get("/healthz").body, "ok\n");
    assert_eq!(site.get("/readyz").body, "ready\n");
    // Somebody moves the ledger away under it.
    fs::rename(site.world.path("rosterd.db"), site.world.path("elsewhere.db")).unwrap();
    until("it says so", || site.get("/healthz").status == 503);
    let told = site.get("/healthz");
    assert!(told.body.contains("ledger") && told.header("content-type").unwrap().starts_with("text/plain"), "{told:?}");
    assert_eq!(site.get("/readyz").status, 503);
    assert_eq!(site.get("/api/v1/status").status, 503);
    let metrics = site.get("/metrics");
    assert!(metrics.body.contains("\nrosterd_ledger_readable 0\n"), "{}", metrics.body);
    fs::rename(site.world.path("elsewhere.db"), site.world.path("rosterd.db")).unwrap();
    until("all is well again", || site.get("/healthz").status == 200);
    site.daemon.signal("TERM");
    assert_eq!(site.daemon.wait(), Some(0));
}

#[test]
fn the_demonstration_says_where_its_dashboard_is() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.arg("demo").env("TMPDIR", folder.path()).stderr(Stdio::null());
    let child = command.stdout(fs::File::create(&said).unwrap()).spawn().unwrap();
    let _demo = Daemon { child };
    let mut url = None;
    until("it says where", || {
        let said = fs::read_to_string(&said).unwrap();
        let line = said.split_inclusive('\n').find_map(|line| line.strip_prefix("The dashboard is at "));
        url = line.and_then(|line| line.strip_suffix('\n')).map(str::to_owned);
        url.is_some()
    });
    let client = Client::builder().no_proxy().build().unwrap();
    let page =
        Runtime::new().unwrap().block_on(async { Answer::of(client.get(url.unwrap()).send().await.unwrap()).await });
    assert!(page.status == 200 && page.body.contains("/subscriptions/contoso"), "{page:?}");
}
