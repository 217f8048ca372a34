//! The binary: everything is in the library.

use rosterd::exit::ExitStatus;

fn main() -> ExitStatus {
    rosterd::cli::main()
}
