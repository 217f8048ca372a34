//! How the sandbox answers where the documentation of the licensing API is silent: a flag for each open question.

use clap::ValueEnum;

/// An answer to each open question. The defaults are the nearest to what is written: `400` means that the request was
/// invalid, so nothing of it is done; assigning what is assigned already changes nothing and succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::Args)]
pub struct Dialect {
    /// The answer to assigning an address that has a seat already
    #[arg(long, value_enum, value_name = "ANSWER", default_value_t)]
    pub already_assigned: AlreadyAssigned,
    /// What becomes of the other addresses of a request when one is invalid
    #[arg(long, value_enum, value_name = "ANSWER", default_value_t)]
    pub bad_address: Partial,
    /// What becomes of the other addresses of an unassignment when one is not assigned
    #[arg(long, value_enum, value_name = "ANSWER", default_value_t)]
    pub not_assigned: Partial,
    /// What becomes of an assignment that asks for more seats than are free
    #[arg(long, value_enum, value_name = "ANSWER", default_value_t)]
    pub no_seats: NoSeats,
    /// Whether the errors name the addresses that they are about
    #[arg(long, value_enum, value_name = "ANSWER", default_value_t)]
    pub errors: Errors,
    /// Whether addresses that differ in case only are two
    #[arg(long, value_enum, value_name = "ANSWER", default_value_t)]
    pub case: Case,
    /// Whether a 402 has a body with the number of seats; it has none otherwise
    #[arg(long = "stats-on-402", value_enum, value_name = "ANSWER", default_value_t)]
    pub stats_on_402: StatsOn402,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AlreadyAssigned {
    /// 200, nothing changes
    #[default]
    Ok,
    /// 400 with an error, as for an invalid address
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Partial {
    /// Nothing of the request is done
    #[default]
    RefuseAll,
    /// The rest is done, and the answer is a 400 all the same
    ApplyRest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum NoSeats {
    /// 402, nobody is assigned
    #[default]
    RefuseAll,
    /// 402, as many as fit are assigned, in the order of the request
    Fill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Errors {
    /// Each error has its address
    #[default]
    Named,
    /// No error has an address
    Anonymous,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Case {
    /// They are two
    Sensitive,
    /// They are the same
    #[default]
    Insensitive,
}

impl Case {
    /// The form by which the server compares addresses.
    pub fn fold(self, email: &str) -> Box<str> {
        match self {
            Case::Sensitive => email.into(),
            Case::Insensitive => email.to_lowercase().into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum StatsOn402 {
    Yes,
    #[default]
    No,
}
