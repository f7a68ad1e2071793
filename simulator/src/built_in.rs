//! What comes with the binary: data sets and generators, the catalogue of scenarios, completions for shells.

use crate::args::{Cli, InitArgs, OutputArgs};
use crate::commands::print_json;
use crate::exit::{Exit, Failure};
use crate::folder;
use crate::progress::{print, tell};
use scenarios::ScenarioFile;
use serde_json::json;
use std::path::PathBuf;

/// How to bring data.
const OWN_DATA: &str = r#"Your own, one row a record (relative paths start from the scenario's folder):
  source = { csv = "visits.csv", label = "readmitted", subject = "patient", silo = "hospital" }
  source = { parquet = "visits.parquet", target = "days", subject = "patient" }
  source = { idx = { images = "...", labels = "..." }, subjects = "writers.csv" }
  source = { leaf = "femnist/data/train" }
`label` is a column of classes, whole numbers or words; `target` in its place is a column of numbers to predict, with
model.kind = "linear", "mlp", "convnet" or "resnet-gn". `subject` says whom a record is about. `silo` is where the data
lies, for partition = { kind = "natural" }; `split` says train or test. Every other numeric column is a feature, unless
`features` lists them; bring features, and targets, to a scale of about 1.

A worked example. visits.csv, with as many rows as you have:
  patient,hospital,age,pressure,readmitted
  p01,north,0.63,0.41,no
  p01,north,0.64,0.47,yes
  p02,south,0.21,0.80,no

visits.toml beside it:
  name = "visits"
  seed = 7
  data.source = { csv = "visits.csv", label = "readmitted", subject = "patient" }
  federation = { silos = 3, rounds = 10 }
  model.kind = "logistic"
  training = { local_epochs = 1, batch_size = 16, learning_rate = 0.1 }
  privacy.protection = "none"
  adversary.known_subjects = 5
  attacks = [{ kind = "loss-threshold" }]

Check it with its data, and run it:
  siloscope validate visits.toml
  siloscope run visits.toml
"#;

/// Lists the built-in data sets, the generators, and how to bring other data.
pub fn datasets(output: OutputArgs) -> Result<Exit, Failure> {
    if output.json {
        let sets: Vec<_> = data::built_ins()
            .iter()
            .map(|set| {
                json!({ "name": set.name, "description": set.description, "records": set.records,
                        "subjects": set.subjects, "silos": set.silos, "licence": set.licence,
                        "citation": set.citation })
            })
            .collect();
        let kinds: Vec<_> = data::synthetic_kinds()
            .iter()
            .map(|kind| {
                json!({ "kind": kind.name, "description": kind.description, "source": kind.example,
                        "all_alike": kind.null })
            })
            .collect();
        let listed = json!({ "datasets": sets, "synthetic": kinds });
        print_json("datasets", Exit::Ok, listed)?;
        return Ok(Exit::Ok);
    }
    let of_set = |set: &data::BuiltIn| {
        format!(
            "{}\n  {}\n  {} records, {} subjects, {} natural silos\n  licence: {}\n  cite: {}\n\n",
            set.name,
            set.description,
            set.records,
            set.subjects,
            set.silos,
            set.licence,
            set.citation
        )
    };
    let sets: Vec<String> = data::built_ins().iter().map(of_set).collect();
    let of_kind = |kind: &data::SyntheticKind| {
        let null = kind.null.map_or(String::new(), |null| {
            format!("\n  all alike, the true null: {null}")
        });
        format!(
            "{}\n  {}\n  source = {}{null}\n\n",
            kind.name, kind.description, kind.example
        )
    };
    let kinds: Vec<String> = data::synthetic_kinds().iter().map(of_kind).collect();
    let synthetic = "Synthetic, drawn from a seed, so that the truth is known (every key: docs/scenarios.md):\n\n";
    print(&(sets.concat() + synthetic + &kinds.concat() + OWN_DATA))?;
    Ok(Exit::Ok)
}

/// Lists the catalogue, or writes one of its scenarios to a file.
pub fn init(args: &InitArgs) -> Result<Exit, Failure> {
    let Some(name) = &args.name else {
        let width = scenarios::entries()
            .iter()
            .map(|entry| entry.name.len())
            .max()
            .unwrap_or(0);
        let lines: Vec<String> = scenarios::entries()
            .iter()
            .map(|entry| format!("{:width$}  {}\n", entry.name, entry.description()))
            .collect();
        print(&lines.concat())?;
        return Ok(Exit::Ok);
    };
    // An unknown name is answered with the nearest one.
    let file = ScenarioFile::open(name, &[]).map_err(Failure::scenario)?;
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{name}.toml")));
    if path.exists() {
        let message = format!(
            "{} exists already: name another file with --out",
            path.display()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    folder::write_whole(&path, file.text.as_bytes())?;
    tell(&format!(
        "wrote {}; run it with: siloscope run {0}",
        path.display()
    ));
    Ok(Exit::Ok)
}

/// Prints a completion script.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut command = <Cli as clap::CommandFactory>::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "siloscope", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
