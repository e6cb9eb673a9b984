//! Commands as a program: passwords are read, answers are printed, and the exit status says how it went.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use registry_core::Settings;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::client::ask;
use super::{Answer, Command, Failed, Status, User};
use crate::wire::secret::Secret;

/// The exit status of an fsck that found something.
const FOUND: u8 = 1;
/// The exit status of an fsck that could not be run.
const NOT_RUN: u8 = 2;

/// Has `command` carried out and prints the answer, as JSON if `json`.
///
/// Success is 0. What fails is told on standard error and is 1, for `fsck` 2; what it finds is 1.
pub async fn run(data: &Path, settings: Settings, command: Command, json: bool) -> ExitCode {
    let failure = if matches!(command, Command::Fsck { .. }) { NOT_RUN } else { 1 };
    let printed = match ask(data, settings, command).await {
        Ok(answer) => print(&answer, json),
        Err(Failed(reason)) => {
            let _ = writeln!(io::stderr(), "registry-server: {reason}");
            return ExitCode::from(failure);
        }
    };
    // Whoever reads the output may have gone.
    printed.unwrap_or(ExitCode::FAILURE)
}

fn print(answer: &Answer, json: bool) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, answer)?;
        writeln!(out)?;
    } else {
        match answer {
            Answer::Done => {}
            Answer::Users(users) => print_users(&mut out, users)?,
            Answer::Status(status) => print_status(&mut out, status)?,
            Answer::Fsck { findings, awaiting } => print_fsck(&mut out, findings, awaiting)?,
        }
    }
    out.flush()?;
    let has_found = matches!(answer, Answer::Fsck { findings, .. } if !findings.is_empty());
    Ok(if has_found { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

fn print_users(out: &mut impl Write, users: &[User]) -> io::Result<()> {
    let width = |cell: fn(&User) -> &str, least: usize| {
        users.iter().map(|user| cell(user).len()).fold(least, usize::max)
    };
    let (name, email) = (width(|user| &user.name, 4), width(|user| &user.email, 5));
    writeln!(out, "{:name$}  {:email$}  {:20}  STATE", "NAME", "EMAIL", "CREATED")?;
    for user in users {
        let state = match (user.is_superuser, user.is_disabled) {
            (false, false) => "",
            (true, false) => "superuser",
            (false, true) => "disabled",
            (true, true) => "superuser, disabled",
        };
        let line = format!("{:name$}  {:email$}  {:20}  {state}", user.name, user.email, user.created);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn print_status(out: &mut impl Write, status: &Status) -> io::Result<()> {
    match &status.server {
        Some(server) => {
            writeln!(out, "server:          process {} since {}", server.pid, server.since)?;
            writeln!(out, "address:         {}", server.url)?;
        }
        None => writeln!(out, "server:          none runs")?,
    }
    writeln!(out, "version:         {}", status.version)?;
    writeln!(out, "blobs:           {} of {} bytes", status.blobs, status.blob_bytes)?;
    writeln!(out, "manifests:       {}", status.manifests)?;
    writeln!(out, "open uploads:    {}", status.open_uploads)?;
    writeln!(out, "missing blobs:   {}", status.missing_blobs)?;
    writeln!(out, "reopenings:      {}", status.reopenings)?;
    let clock = if status.doubts_clock { "jumped ahead: nothing ends by time" } else { "trusted" };
    writeln!(out, "clock:           {clock}")?;
    let sweep = if status.awaits_sweep { "under way, after an unclean stop" } else { "none" };
    writeln!(out, "search of files: {sweep}")
}

fn print_fsck(out: &mut impl Write, findings: &[String], awaiting: &[String]) -> io::Result<()> {
    for line in findings {
        writeln!(out, "{line}")?;
    }
    for line in awaiting {
        writeln!(out, "awaits the search after an unclean stop: {line}")?;
    }
    if findings.is_empty() { writeln!(out, "clean") } else { Ok(()) }
}

/// Reads a password: from a terminal twice and without showing it, else one line.
///
/// # Errors
/// The two differ, or nothing can be read.
pub fn read_password() -> io::Result<Secret> {
    let input = io::stdin();
    if !input.is_terminal() {
        return line(&mut input.lock());
    }
    let shown = tcgetattr(&input)?;
    let mut hidden: Termios = shown.clone();
    hidden.local_modes -= LocalModes::ECHO;
    hidden.local_modes |= LocalModes::ECHONL;
    tcsetattr(&input, OptionalActions::Flush, &hidden)?;
    let typed = typed_twice();
    tcsetattr(&input, OptionalActions::Flush, &shown)?;
    typed
}

fn typed_twice() -> io::Result<Secret> {
    let asked = |what| {
        write!(io::stderr(), "{what}: ")?;
        line(&mut io::stdin().lock())
    };
    let (first, second) = (asked("password")?, asked("again")?);
    if first == second { Ok(first) } else { Err(io::Error::other("the two are not the same")) }
}

fn line(input: &mut impl BufRead) -> io::Result<Secret> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Err(io::Error::other("there is no password on standard input"));
    }
    Ok(Secret::new(line.trim_end_matches(['\n', '\r'])))
}
