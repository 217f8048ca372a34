# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rosterd_global_optspecs
    string join \n config= log-format= v/verbose allow-root h/help V/version
end

function __fish_rosterd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rosterd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rosterd_using_subcommand
    set -l cmd (__fish_rosterd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rosterd -n "__fish_rosterd_needs_command" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_needs_command" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_needs_command" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_needs_command" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_needs_command" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "demo" -d 'The main job from end to end: joiners, leavers, a full subscription, seats bought, the queue drained'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "init" -d 'Write a configuration from a few questions, trying each answer'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "check" -d 'Try everything that the configuration names, without changing anything'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "run" -d 'The daemon: watch the sources and keep the licences in step until it is told to end'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "sync" -d 'One run now: read the sources, and assign and unassign what follows'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "plan" -d 'What `sync` would do; changes nothing'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "status" -d 'Seats, members by state, last and next run, problems and holds'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "members" -d 'List the members, one a line'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "explain" -d 'Why an address has a licence or not, and what would change that'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "history" -d 'What happened, oldest first'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "report" -d 'A month for invoices: peak seats, seat-days, joiners and leavers of each subscription'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "approve" -d 'Let held removals happen; shows them and asks'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "reject" -d 'Turn held removals down: their people keep the licence until a roster names them again; shows them and asks'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "resume" -d 'Let removals go on after they were stopped everywhere; shows why they were, and asks'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "undo" -d 'Do the reverse of a run, as far as seats allow; shows it and asks'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "adopt" -d 'Take over assignments that exist already, from a CSV, so that they are managed from now on; asks on a terminal'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "forget" -d 'Drop members from the ledger without a call to the server; asks on a terminal'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "retry" -d 'Let quarantined members try again; asks on a terminal. Without addresses the server\'s habits are learned anew, too'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "ledger" -d 'What concerns the ledger as a whole'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "sandbox" -d 'A licensing server to try things on, held in memory'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "schema" -d 'Print a JSON Schema of the configuration, for editors'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "completions" -d 'Print what a shell needs to complete rosterd\'s command line'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "man" -d 'Print the manual page'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand demo" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand demo" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand demo" -l keep -d 'Keep the folder, and keep running until Ctrl-C'
complete -c rosterd -n "__fish_rosterd_using_subcommand demo" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand demo" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand demo" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l name -d 'A short name for the subscription, such as contoso' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l type -d 'How it was bought: Paddle, Azure or Manual' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l id -d 'The subscription\'s GUID' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l api-key-file -d 'A file that holds the API key, and nothing else' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l csv -d 'The roster is a CSV in this folder' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l ldap -d 'The roster is in a directory: `ldaps://SERVER`; more than one are tried in turn' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l bind-dn -d 'Who rosterd is to the directory: a DN, or user@realm' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l bind-password-file -d 'A file that holds the directory\'s password, and nothing else' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l group -d 'A group whose members should have a licence, by its DN; more than one count together' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l ca-file -d 'Certificates in PEM that the directory\'s is checked by, beside the system\'s' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l timezone -d 'The time zone of dates and schedules [default: the system\'s]' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l base-url -d 'The licensing server, to try things on a sandbox [default: the real one]' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l start-tls -d 'Turn an ldap:// connection to TLS before anything is said'
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l yes -d 'Ask nothing: take the defaults, and make a folder that is missing'
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l anyway -d 'Write it also where something that was tried did not work'
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand init" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand check" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand check" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand check" -l send-test-alert -d 'Send a test alert to each receiver'
complete -c rosterd -n "__fish_rosterd_using_subcommand check" -l json -d 'Print JSON'
complete -c rosterd -n "__fish_rosterd_using_subcommand check" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand check" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand check" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand check" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand run" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand run" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand run" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand run" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand run" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand sync" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand sync" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand sync" -l json -d 'Print JSON'
complete -c rosterd -n "__fish_rosterd_using_subcommand sync" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand sync" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand sync" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand sync" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand plan" -l roster -d 'Plan against this CSV instead of the sources' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand plan" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand plan" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand plan" -l json -d 'Print JSON'
complete -c rosterd -n "__fish_rosterd_using_subcommand plan" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand plan" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand plan" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand plan" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -l json -d 'Print JSON'
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand members" -l state -d 'Only the members in this state' -r -f -a "assigned\t'Has a seat'
pending\t'Wants a seat, and none is free'
waiting\t'The start date is ahead'
leaving\t'No longer desired; the seat is kept for the time of grace, or until an approval'
quarantined\t'The address is invalid, or the server refused it'
unknown\t'A request\'s answer was lost; settled before anything else'"
complete -c rosterd -n "__fish_rosterd_using_subcommand members" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand members" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand members" -l json -d 'Print JSON, an object a line'
complete -c rosterd -n "__fish_rosterd_using_subcommand members" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand members" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand members" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand members" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand explain" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand explain" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand explain" -l json -d 'Print JSON'
complete -c rosterd -n "__fish_rosterd_using_subcommand explain" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand explain" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand explain" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand explain" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand history" -l since -d 'Only what happened since: a duration (2d, 12h), a date (2026-11-23) or RFC 3339' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand history" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand history" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand history" -l json -d 'Print JSON, an object a line'
complete -c rosterd -n "__fish_rosterd_using_subcommand history" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand history" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand history" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand history" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -l month -d 'Which month, as 2026-10' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -l html -d 'Write one page for each subscription into this folder, with that subscription\'s figures alone' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -l csv -d 'Print CSV'
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -l json -d 'Print JSON'
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand report" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand approve" -l digest -d 'Only if this is what is held: the digest that was shown with it' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand approve" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand approve" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand approve" -l yes -d 'Do it without asking'
complete -c rosterd -n "__fish_rosterd_using_subcommand approve" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand approve" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand approve" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand approve" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand reject" -l digest -d 'Only if this is what is held: the digest that was shown with it' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand reject" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand reject" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand reject" -l yes -d 'Do it without asking'
complete -c rosterd -n "__fish_rosterd_using_subcommand reject" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand reject" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand reject" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand reject" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand resume" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand resume" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand resume" -l yes -d 'Do it without asking'
complete -c rosterd -n "__fish_rosterd_using_subcommand resume" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand resume" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand resume" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand undo" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand undo" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand undo" -l yes -d 'Do it without asking'
complete -c rosterd -n "__fish_rosterd_using_subcommand undo" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand undo" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand undo" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand adopt" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand adopt" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand adopt" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand adopt" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand adopt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand adopt" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand forget" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand forget" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand forget" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand forget" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand forget" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand retry" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand retry" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand retry" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand retry" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand retry" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand retry" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and not __fish_seen_subcommand_from accept rename help" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and not __fish_seen_subcommand_from accept rename help" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and not __fish_seen_subcommand_from accept rename help" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and not __fish_seen_subcommand_from accept rename help" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and not __fish_seen_subcommand_from accept rename help" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and not __fish_seen_subcommand_from accept rename help" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and not __fish_seen_subcommand_from accept rename help" -f -a "accept" -d 'Believe a ledger that was restored from a copy; says what that means and asks'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and not __fish_seen_subcommand_from accept rename help" -f -a "rename" -d 'Give a subscription its new name, after it got one in the configuration'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and not __fish_seen_subcommand_from accept rename help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from accept" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from accept" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from accept" -l yes -d 'Do it without asking'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from accept" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from accept" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from accept" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from accept" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from rename" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from rename" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from rename" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from rename" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from rename" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from help" -f -a "accept" -d 'Believe a ledger that was restored from a copy; says what that means and asks'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from help" -f -a "rename" -d 'Give a subscription its new name, after it got one in the configuration'
complete -c rosterd -n "__fish_rosterd_using_subcommand ledger; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l listen -d 'Where to listen' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l subscription -d 'A subscription, as in Manual/GUID; its key and its seats follow it. May be given several times. Without one, the sandbox makes one up and prints a configuration for it' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l api-key -d 'The key of the subscription in the same place' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l seats -d 'The seats of the subscription in the same place; alone, those of the one that is made up (10 without it)' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l already-assigned -d 'The answer to assigning an address that has a seat already' -r -f -a "ok\t'200, nothing changes'
error\t'400 with an error, as for an invalid address'"
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l bad-address -d 'What becomes of the other addresses of a request when one is invalid' -r -f -a "refuse-all\t'Nothing of the request is done'
apply-rest\t'The rest is done, and the answer is a 400 all the same'"
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l not-assigned -d 'What becomes of the other addresses of an unassignment when one is not assigned' -r -f -a "refuse-all\t'Nothing of the request is done'
apply-rest\t'The rest is done, and the answer is a 400 all the same'"
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l no-seats -d 'What becomes of an assignment that asks for more seats than are free' -r -f -a "refuse-all\t'402, nobody is assigned'
fill\t'402, as many as fit are assigned, in the order of the request'"
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l errors -d 'Whether the errors name the addresses that they are about' -r -f -a "named\t'Each error has its address'
anonymous\t'No error has an address'"
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l case -d 'Whether addresses that differ in case only are two' -r -f -a "sensitive\t'They are two'
insensitive\t'They are the same'"
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l stats-on-402 -d 'Whether a 402 has a body with the number of seats; it has none otherwise' -r -f -a "yes\t''
no\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l latency -d 'How long each answer takes; the request has taken effect by then' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l rate-limit -d 'Answer more requests than this with 429 and Retry-After, as in 5/s or 100/m' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l fail -d 'The share of requests that is answered with 500 and takes no effect, as in 5%' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l drop-before -d 'The share of requests whose connection is cut before they take effect' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l drop-after -d 'The share of requests whose connection is cut after they took effect, without an answer' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l seed -d 'What the shares are drawn from: the same number, the same faults' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l echo -d 'Repeat the body of the request, key and all, in every error: to prove that the client hides it'
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand sandbox" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand schema" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand schema" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand schema" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand schema" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand schema" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand schema" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand completions" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand completions" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand completions" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand completions" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand completions" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand completions" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand man" -l config -d 'The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand man" -l log-format -d 'How log lines look on standard error [default: as the configuration says]' -r -f -a "text\t''
json\t''"
complete -c rosterd -n "__fish_rosterd_using_subcommand man" -s v -l verbose -d 'Log more: -v decisions, -vv requests'
complete -c rosterd -n "__fish_rosterd_using_subcommand man" -l allow-root -d 'Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]'
complete -c rosterd -n "__fish_rosterd_using_subcommand man" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand man" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "demo" -d 'The main job from end to end: joiners, leavers, a full subscription, seats bought, the queue drained'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "init" -d 'Write a configuration from a few questions, trying each answer'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "check" -d 'Try everything that the configuration names, without changing anything'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "run" -d 'The daemon: watch the sources and keep the licences in step until it is told to end'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "sync" -d 'One run now: read the sources, and assign and unassign what follows'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "plan" -d 'What `sync` would do; changes nothing'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "status" -d 'Seats, members by state, last and next run, problems and holds'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "members" -d 'List the members, one a line'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "explain" -d 'Why an address has a licence or not, and what would change that'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "history" -d 'What happened, oldest first'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "report" -d 'A month for invoices: peak seats, seat-days, joiners and leavers of each subscription'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "approve" -d 'Let held removals happen; shows them and asks'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "reject" -d 'Turn held removals down: their people keep the licence until a roster names them again; shows them and asks'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "resume" -d 'Let removals go on after they were stopped everywhere; shows why they were, and asks'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "undo" -d 'Do the reverse of a run, as far as seats allow; shows it and asks'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "adopt" -d 'Take over assignments that exist already, from a CSV, so that they are managed from now on; asks on a terminal'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "forget" -d 'Drop members from the ledger without a call to the server; asks on a terminal'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "retry" -d 'Let quarantined members try again; asks on a terminal. Without addresses the server\'s habits are learned anew, too'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "ledger" -d 'What concerns the ledger as a whole'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "sandbox" -d 'A licensing server to try things on, held in memory'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "schema" -d 'Print a JSON Schema of the configuration, for editors'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "completions" -d 'Print what a shell needs to complete rosterd\'s command line'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "man" -d 'Print the manual page'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from demo init check run sync plan status members explain history report approve reject resume undo adopt forget retry ledger sandbox schema completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from ledger" -f -a "accept" -d 'Believe a ledger that was restored from a copy; says what that means and asks'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from ledger" -f -a "rename" -d 'Give a subscription its new name, after it got one in the configuration'
