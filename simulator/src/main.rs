//! The siloscope binary.

#![allow(
    unreachable_pub,
    reason = "a binary has no outside; `pub` here says what a module offers the others"
)]

mod account;
mod archive;
mod args;
mod assembly;
mod attack;
mod audit;
mod built_in;
mod checkpoint;
mod cohort;
mod commands;
mod conditions;
mod device;
mod disk;
mod driver;
mod events;
mod exit;
mod export;
mod federation;
mod folder;
mod foreign;
mod foresee;
mod gate;
mod interrupt;
mod jobs;
mod keys;
mod lock;
mod meeting;
mod network;
mod observer;
mod process;
mod progress;
mod recorder;
mod roll;
mod session;
mod shadow;
mod shelf;
mod stack;
mod statement;
mod sweep;
mod tables;
mod training_run;

use args::{Cli, Command, TransportArg};
use clap::Parser;
use exit::{Exit, Failure};
use interrupt::Interrupt;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(cli.output.verbose);
    match start(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            progress::tell(&format!("error: {failure}"));
            failure.exit.into()
        }
    }
}

/// Sends decisions (`-v`) and messages (`-vv`) to stderr.
fn log(verbose: u8) {
    use tracing_subscriber::filter::LevelFilter;
    let level = match verbose {
        0 => return,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(commands::style().colour)
        .without_time()
        .init();
}

/// Listens for Ctrl-C beside the command, which has a thread of its own.
fn start(cli: Cli) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::run)?;
    let interrupt = Interrupt::default();
    runtime.block_on(async {
        tokio::spawn(interrupt.clone().listen());
        tokio::task::spawn_blocking(move || dispatch(cli, &interrupt))
            .await
            .map_err(Failure::run)?
    })
}

fn dispatch(cli: Cli, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let output = cli.output;
    match cli.command {
        Command::Run(args) => {
            args.make.speed.apply()?;
            if args.tethered {
                interrupt.tether();
            }
            match args.transport {
                _ if args.task => sweep::run_task(&args.make, output, interrupt),
                TransportArg::Memory => commands::run(&args.make, output, interrupt),
                TransportArg::Quic => network::run(&args, output, interrupt),
            }
        }
        Command::Sweep(command) => sweep::sweep(&command, output, interrupt),
        Command::Resume(args) => {
            args.speed.apply()?;
            commands::resume(&args, output, interrupt)
        }
        Command::Attack(args) => {
            args.speed.apply()?;
            commands::attack(&args, output, interrupt)
        }
        Command::Serve(args) => {
            args.make.speed.apply()?;
            network::serve(&args, output, interrupt)
        }
        Command::Join(args) => {
            args.speed.apply()?;
            network::join(&args, output, interrupt)
        }
        Command::Keys(command) => keys::keys(&command, output),
        Command::Audit(args) => {
            args.speed.apply()?;
            commands::audit(&args, output, interrupt)
        }
        Command::Validate(args) => commands::validate(&args, output),
        Command::Plan(args) => commands::plan(&args, output),
        Command::Report(args) => commands::report(&args, output),
        Command::Compare(args) => commands::compare(&args, output),
        Command::Export(command) => export::export(&command, output),
        Command::Account(args) => account::account(&args, output),
        Command::Datasets => built_in::datasets(output),
        Command::Init(args) => built_in::init(&args),
        Command::Completions { shell } => built_in::completions(shell),
    }
}
