//! `rosterd members`.

use std::ops::ControlFlow;

use super::context::{Context, read_ledger, subscriptions};
use super::failure::Failure;
use super::output::Output;
use crate::config::Subscription;
use crate::exit::ExitStatus;
use crate::facts;
use crate::ledger::{Ledger, Member, MemberState};
use crate::report::members::{MemberLine, render};
use crate::report::text::Columns;

/// How many members are looked up in the rosters at once.
const BATCH: usize = 500;

/// List the members, one a line
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rosterd members contoso --state quarantined
  rosterd members --json | jq -r .email")]
pub(super) struct MembersArgs {
    /// Subscriptions [default: all]
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// Only the members in this state
    #[arg(long, value_name = "STATE")]
    pub(super) state: Option<MemberState>,
    /// Print JSON, an object a line
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &MembersArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    let subscriptions = subscriptions(&config, &args.names)?;
    let reader = Reader { members: read_ledger(&config)?, rosters: read_ledger(&config)? };
    let mut listing = Listing::new(args.json);
    for subscription in subscriptions {
        reader.for_each_batch(subscription, args.state, &mut |lines| listing.write(lines))?;
    }
    listing.output.flush()?;
    Ok(ExitStatus::Done)
}

/// Whether more is wanted.
type Going = Result<ControlFlow<()>, Failure>;

/// Writes members as they come.
struct Listing {
    output: Output,
    columns: Columns,
    json: bool,
    is_first: bool,
}

impl Listing {
    fn new(json: bool) -> Listing {
        Listing { output: Output::stdout(), columns: Columns::default(), json, is_first: true }
    }

    fn write(&mut self, lines: &[MemberLine]) -> Going {
        if self.json {
            let json = |line: &MemberLine| line.json().map_err(|error| Failure::from_error(&error));
            lines.iter().try_for_each(|line| self.output.line(&json(line)?))?;
        } else {
            let text = render(lines, &mut self.columns, std::mem::take(&mut self.is_first));
            self.output.write(&text)?;
        }
        Ok(if self.output.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// Reads members and, beside them, where rosters name them: with two connections, because a listing keeps its own busy.
pub(super) struct Reader {
    pub(super) members: Ledger,
    pub(super) rosters: Ledger,
}

impl Reader {
    /// Some members at a time, by address, until nobody wants more.
    pub(super) fn for_each_batch(
        &self,
        subscription: &Subscription,
        state: Option<MemberState>,
        each: &mut dyn FnMut(&[MemberLine]) -> Going,
    ) -> Result<(), Failure> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut going = Ok(ControlFlow::Continue(()));
        self.members.for_each_member(&subscription.name, state, &mut |member| {
            if !matches!(going, Ok(ControlFlow::Continue(()))) {
                return;
            }
            batch.push(member);
            if batch.len() == BATCH {
                going = self.lines(subscription, std::mem::take(&mut batch)).and_then(|lines| each(&lines));
            }
        })?;
        if going?.is_continue() && !batch.is_empty() {
            let _ = each(&self.lines(subscription, batch)?)?;
        }
        Ok(())
    }

    fn lines(&self, subscription: &Subscription, members: Vec<Member>) -> Result<Vec<MemberLine>, Failure> {
        Ok(facts::member_lines(&self.rosters, subscription, members)?)
    }
}
