//! `rosterd man`.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::failure::Failure;
use super::output::print;
use crate::exit::ExitStatus;

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  rosterd man > /usr/share/man/man1/rosterd.1")]
pub(super) struct ManArgs {}

pub(super) fn run(args: &ManArgs) -> Result<ExitStatus, Failure> {
    let ManArgs {} = args;
    let page = page().map_err(|error| Failure::from_error(&error))?;
    print(&page)?;
    Ok(ExitStatus::Done)
}

/// The whole command line in one page, with a section for each verb.
fn page() -> io::Result<String> {
    let mut command = super::Cli::command();
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        page.extend(section(verb)?);
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(without_prologues(&String::from_utf8_lossy(&page)).replace(".SH EXTRA\n", ".SH NOTES\n"))
}

/// One verb: its own page's sections become sub-sections.
fn section(verb: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(verb.clone());
    let mut body = Vec::new();
    man.render_synopsis_section(&mut body)?;
    man.render_description_section(&mut body)?;
    man.render_options_section(&mut body)?;
    man.render_extra_section(&mut body)?;
    let body = String::from_utf8_lossy(&body).replace(".SH EXTRA\n", ".SH NOTES\n").replace(".SH ", ".SS ");
    Ok(format!(".SH \"ROSTERD {}\"\n{body}", verb.get_name().to_uppercase()).into_bytes())
}

/// Each part that is rendered begins by defining how quotes look; a page needs that once.
fn without_prologues(page: &str) -> String {
    const PROLOGUE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";
    format!("{PROLOGUE}{}", page.replace(PROLOGUE, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_section_for_each_verb() {
        let page = page().unwrap();
        for verb in ["SYNC", "EXPLAIN", "APPROVE"] {
            assert!(page.contains(&format!(".SH \"ROSTERD {verb}\"\n.SS SYNOPSIS")), "{verb}");
        }
        assert!(page.contains("Exit status"));
    }
}
