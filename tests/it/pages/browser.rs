//! Chromium, driven as a person would: looked at, typed into, clicked.
//!
//! A browser and its driver end with their test, also when it fails or is killed.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::LoggingPrefsLogLevel;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities as _;
use thirtyfour::prelude::*;
use tokio::runtime::Runtime;

use crate::directory::install::{alone, as_root, kept};
use crate::directory::server::{Server, folder};
use crate::world::until;

const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-proxy-server",
    "--force-color-profile=srgb",
    "--window-size=1280,900",
];

/// A browser window, for one test.
pub(crate) struct Browser {
    runtime: Runtime,
    driver: WebDriver,
    _server: Server,
    _folder: TempDir,
}

impl Browser {
    pub(crate) fn new() -> Browser {
        install();
        let (home, data) = (folder(), TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let option = format!("--port={port}");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Server::start(Command::new("sh"), home.path(), &["chromedriver", &option], &[address]);
        let runtime = Runtime::new().unwrap();
        let driver = runtime.block_on(async {
            let mut wishes = DesiredCapabilities::chrome();
            wishes.set_binary(program("chromium").to_str().unwrap()).unwrap();
            for flag in FLAGS {
                wishes.add_arg(flag).unwrap();
            }
            wishes.set_browser_log_level(LoggingPrefsLogLevel::Warning).unwrap();
            wishes.add_arg(&format!("--user-data-dir={}", data.path().display())).unwrap();
            WebDriver::new(format!("http://127.0.0.1:{port}"), wishes).await.unwrap()
        });
        Browser { runtime, driver, _server: server, _folder: data }
    }

    pub(crate) fn open(&self, url: &str) {
        self.runtime.block_on(self.driver.goto(url)).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        self.runtime.block_on(self.driver.current_url()).unwrap().to_string()
    }

    /// The text of the first element, as a person sees it; empty where there is none.
    pub(crate) fn text(&self, css: &str) -> String {
        self.runtime.block_on(async {
            let Ok(element) = self.driver.find(By::Css(css)).await else { return String::new() };
            // The page may put another into its place at any moment.
            element.text().await.unwrap_or_default()
        })
    }

    pub(crate) fn texts(&self, css: &str) -> Vec<String> {
        self.runtime.block_on(async {
            let mut texts = Vec::new();
            for element in self.driver.find_all(By::Css(css)).await.unwrap() {
                texts.push(element.text().await.unwrap_or_default());
            }
            texts
        })
    }

    /// Clicks the first element that has this text, of those that a person would click, once it is there.
    #[track_caller]
    pub(crate) fn click(&self, text: &str) {
        let path = format!("//*[self::a or self::button or self::summary][contains(normalize-space(.), '{text}')]");
        self.click_at(&By::XPath(path));
    }

    #[track_caller]
    pub(crate) fn tick(&self, css: &str) {
        self.click_at(&By::Css(css));
    }

    #[track_caller]
    fn click_at(&self, place: &By) {
        until("it is clicked", || {
            self.runtime.block_on(async { self.driver.find(place.clone()).await?.click().await }).is_ok()
        });
    }

    /// Types into a field, once it is there, and presses Enter.
    #[track_caller]
    pub(crate) fn enter(&self, css: &str, text: &str) {
        let typed = || async {
            let field = self.driver.find(By::Css(css)).await?;
            field.clear().await?;
            field.send_keys(text.to_owned() + Key::Enter).await
        };
        until("it is entered", || self.runtime.block_on(typed()).is_ok());
    }

    /// Waits until this is said there: a page that was asked for comes when it comes.
    #[track_caller]
    pub(crate) fn sees(&self, css: &str, words: &str) {
        until(words, || self.text(css).contains(words));
    }

    /// Presses keys wherever the focus is.
    pub(crate) fn press(&self, keys: impl Into<TypingData>) {
        let keys = keys.into();
        self.runtime.block_on(async { self.driver.active_element().await.unwrap().send_keys(keys).await.unwrap() });
    }

    /// What a script gives.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.runtime.block_on(self.driver.execute(script, Vec::new())).unwrap().json().clone()
    }

    /// What the browser complains of, a refused style or script among it.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let lines = self.runtime.block_on(self.driver.browser_log()).unwrap();
        lines.into_iter().map(|line| line.message).collect()
    }

    /// Looks with a window of this size, in light or dark.
    pub(crate) fn look(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tools("Emulation.setDeviceMetricsOverride", size);
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tools("Emulation.setEmulatedMedia", media);
    }

    pub(crate) fn without_scripts(&self) {
        self.tools("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    fn tools(&self, command: &str, parameters: Value) {
        self.runtime.block_on(self.driver.cdp().send_raw(command, parameters)).unwrap();
    }

    /// Keeps what is seen as a picture, under `target/tmp/pages/`.
    pub(crate) fn picture(&self, name: &str) {
        let folder = kept("pages");
        std::fs::create_dir_all(&folder).unwrap();
        self.runtime.block_on(self.driver.screenshot(&folder.join(format!("{name}.png")))).unwrap();
    }

    /// What is wrong for people who can't see, or not well: what axe-core calls serious or critical, each with its place.
    pub(crate) fn barriers(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(axe()).unwrap();
        self.script(&axe);
        let script = "
            const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then(found => done(found.violations
              .filter(it => it.impact === 'serious' || it.impact === 'critical')
              .map(it => it.id + ': ' + it.help + ' at ' + it.nodes.map(node => node.target.join(' ') + ' ' + node.failureSummary).join(', '))),
              error => done(['axe failed: ' + error]));";
        let found = self.runtime.block_on(self.driver.execute_async(script, Vec::new())).unwrap();
        found.convert::<Vec<String>>().unwrap()
    }

    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Browser) -> bool) {
        until(what, || holds(self));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // One that does not end by itself ends with its driver.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(self.driver.clone().quit())));
    }
}

/// Installs what is missing; once for all tests, also where each is a process.
fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let _alone = alone("install");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pages/install.sh");
        if ["chromium", "chromedriver", "npm"].iter().any(|name| !program(name).exists()) {
            let ran = as_root(&script).output().unwrap();
            assert!(ran.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&ran.stderr));
        }
    });
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| name.into())
}

/// The accessibility checks, fetched where they are not there yet: outside of the tree, for every one of its builds.
fn axe() -> PathBuf {
    let home = std::env::home_dir().unwrap_or_else(std::env::temp_dir);
    let caches = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    let folder = caches.join("rosterd-tests");
    let _alone = alone("axe");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pages/axe.sh");
    let ran = Command::new(script).arg(&folder).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    folder.join("axe.min.js")
}
