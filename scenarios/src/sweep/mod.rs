//! A sweep: one scenario file that stands for several hundred federations.
//!
//! ```text
//! text ─ SweepFile::open ▸ axes ─ design ▸ points × seeds ▸ SweepTask, each a plain scenario with an id
//! ```
//!
//! A scenario with a table `[sweep]` is the base; every axis names a key and the values it takes, or named levels that
//! set several keys. Each point of the design is written into the base and read like any other scenario, so a fault of
//! one point is found before anything is run.

mod config;
mod design;
mod level;
mod task;

pub use config::{Axis, Design, NamedLevel, Scale, Seeds, SweepConfig};
pub use level::Level;
pub use task::SweepTask;

use crate::device;
use crate::diagnosis::{self, Fault, ScenarioError};
use crate::file::Source;
use crate::overrides;
use design::Point;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The table's key.
pub(crate) const TABLE: &str = "sweep";

/// Faulty points that an error lists before it counts the others.
const MOST_LISTED: usize = 5;

/// A sweep, read and checked, with every task it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepFile {
    /// What it is called: the base scenario's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Which points it has.
    pub design: Design,
    /// Its factors, in the order of the file.
    pub factors: Vec<Factor>,
    /// Every federation, seeds of one point beside each other.
    pub tasks: Vec<SweepTask>,
    /// The text, with the command line's changes written in.
    pub text: String,
}

/// One factor of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// What it is called.
    pub name: String,
    /// The key that it changes; none if its levels change several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How its values are spaced.
    pub scale: Scale,
}

impl SweepFile {
    /// Whether this scenario is a sweep; false if there is no such scenario or it is no TOML, which reading it says.
    pub fn is_one(name: &str) -> bool {
        let source = Source::open(name).ok();
        source.is_some_and(|source| {
            toml::from_str::<toml::Table>(&source.text).is_ok_and(|table| table.contains_key(TABLE))
        })
    }

    /// Reads a sweep from a catalogue name or a path, with changes from the command line. A scenario without a table
    /// `[sweep]` is a sweep of one point.
    ///
    /// # Errors
    /// If there is no such scenario, the table is not valid, or a point of it is no valid scenario.
    pub fn open(name: &str, settings: &[String]) -> Result<Self, ScenarioError> {
        let source = Source::open(name)?;
        let fail = |fault| ScenarioError::one(&source.file, fault);
        let text = overrides::apply(&source.text, settings).map_err(fail)?;
        let of_toml = |error: &toml::de::Error| {
            let mut fault = diagnosis::of_toml(&text, error);
            fault.line = fault.line.filter(|_| settings.is_empty());
            fail(fault)
        };
        let OnlySweep { sweep } = toml::from_str(&text).map_err(|error| of_toml(&error))?;
        let mut base: toml::Table = toml::from_str(&text).map_err(|error| of_toml(&error))?;
        base.remove(TABLE);
        let placed = |mut faults: Vec<Fault>| {
            for fault in &mut faults {
                let line = diagnosis::line_of(&text, &fault.field);
                fault.line = line.filter(|_| settings.is_empty());
            }
            ScenarioError {
                file: source.file.clone(),
                faults,
            }
        };
        let seed = base.get("seed").and_then(toml::Value::as_integer);
        let seed = seed.unwrap_or_default().cast_unsigned();
        let seeds = seeds(&sweep.seeds, seed).map_err(|fault| placed(vec![fault]))?;
        let points = design::points(&sweep, seed).map_err(placed)?;
        let folder = std::path::absolute(&source.folder)
            .map_err(|error| fail(Fault::new("", format!("has no absolute path: {error}"))))?;
        let mut found = Found::default();
        for (index, point) in points.iter().enumerate() {
            let made = tasks_of(&base, &source.file, &folder, (index, point), &seeds, &sweep);
            found.take(made);
        }
        let tasks = found.tasks(&source.file, sweep.design)?;
        let factor = |axis: &Axis| Factor {
            name: axis.name().to_owned(),
            key: axis.key.clone(),
            scale: axis.scale,
        };
        let mut words = |key: &str| match base.remove(key) {
            Some(toml::Value::String(text)) => text,
            _ => String::new(),
        };
        Ok(Self {
            name: words("name"),
            description: words("description"),
            design: sweep.design,
            factors: sweep.axes.iter().map(factor).collect(),
            tasks,
            text,
        })
    }
}

/// Of a file only its table `[sweep]`.
#[derive(Deserialize)]
struct OnlySweep {
    #[serde(default)]
    sweep: SweepConfig,
}

/// The seeds of every point.
fn seeds(seeds: &Seeds, first: u64) -> Result<Vec<u64>, Fault> {
    let list: Vec<u64> = match seeds {
        Seeds::Count(count) => (0..u64::from(*count))
            .map(|i| first.wrapping_add(i))
            .collect(),
        Seeds::These(list) => list.clone(),
    };
    let different: BTreeSet<_> = list.iter().collect();
    if list.is_empty() || different.len() < list.len() {
        let message = "gives no seed, or one twice: give how many, e.g. seeds = 5, or different numbers in a list";
        return Err(Fault::new("sweep.seeds", message));
    }
    Ok(list)
}

/// The tasks of one point, one for each seed.
fn tasks_of(
    base: &toml::Table,
    file: &Path,
    folder: &Path,
    (index, point): (usize, &Point),
    seeds: &[u64],
    sweep: &SweepConfig,
) -> Result<Vec<SweepTask>, ScenarioError> {
    let names = sweep.axes.iter().map(|axis| axis.name().to_owned());
    let levels: BTreeMap<String, Level> = names
        .zip(point.iter().map(|setting| setting.level.clone()))
        .collect();
    let fail = |fault| ScenarioError::one(&task::named(file, index, &levels), fault);
    let mut document = base.clone();
    for (path, value) in point.iter().flat_map(|setting| &setting.set) {
        if ["name", "seed", TABLE].contains(&path.as_str()) {
            let message =
                "cannot be an axis: seeds are given as `seeds`, and the name is the sweep's";
            return Err(fail(Fault::new(path, message)));
        }
        overrides::set(&mut document, path, value.clone()).map_err(fail)?;
    }
    let of_seed = |&seed: &u64| {
        let mut document = document.clone();
        let written = toml::Value::Integer(seed.cast_signed());
        document.insert("seed".to_owned(), written);
        let scenario = toml::to_string(&document)
            .map_err(|error| fail(Fault::new("", format!("is no valid scenario: {error}"))))?;
        // A task is run on the device that its id was made with, wherever that is.
        let settled = device::settled(&scenario).map(|(settled, _)| settled);
        let scenario = settled.unwrap_or(scenario);
        let mut task = SweepTask {
            id: String::new(),
            index: 0,
            point: index,
            seed,
            levels: levels.clone(),
            sweep: file.to_owned(),
            folder: folder.to_owned(),
            scenario,
        };
        task.id = task::id_of(&task.open()?.scenario);
        Ok(task)
    };
    seeds.iter().map(of_seed).collect()
}

/// What has come out of the points so far.
#[derive(Default)]
struct Found {
    tasks: Vec<SweepTask>,
    faulty: Vec<ScenarioError>,
}

impl Found {
    fn take(&mut self, made: Result<Vec<SweepTask>, ScenarioError>) {
        match made {
            Ok(tasks) => self.tasks.extend(tasks),
            Err(error) => self.faulty.push(error),
        }
    }

    /// The list of tasks. Drawn points may meet; that written ones do is a mistake in the file.
    fn tasks(self, file: &Path, design: Design) -> Result<Vec<SweepTask>, ScenarioError> {
        if !self.faulty.is_empty() {
            return Err(listed(file, &self.faulty));
        }
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        let mut tasks: Vec<SweepTask> = Vec::with_capacity(self.tasks.len());
        for mut task in self.tasks {
            task.index = tasks.len();
            match first.get(&task.id) {
                None => {
                    first.insert(task.id.clone(), task.index);
                    tasks.push(task);
                }
                Some(_) if design == Design::Random => {}
                Some(&before) => {
                    let message = format!(
                        "points {} and {} are the same scenario ({}): remove a level, or an axis whose key the others set again",
                        tasks[before].point,
                        task.point,
                        task.place()
                    );
                    return Err(ScenarioError::one(file, Fault::new("sweep.axes", message)));
                }
            }
        }
        Ok(tasks)
    }
}

/// The faults of several points as those of one file.
fn listed(file: &Path, faulty: &[ScenarioError]) -> ScenarioError {
    let prefix = format!("{}, ", file.display());
    let of_point = |error: &ScenarioError| {
        let point = error.file.to_string_lossy();
        let point = point.strip_prefix(&prefix).unwrap_or(&point).to_owned();
        error.faults.clone().into_iter().map(move |mut fault| {
            fault.message = format!("{} [{point}]", fault.message);
            // Its line would be one of the point's text, which is nowhere to be seen.
            fault.line = None;
            fault
        })
    };
    let mut faults: Vec<Fault> = faulty.iter().take(MOST_LISTED).flat_map(of_point).collect();
    if faulty.len() > MOST_LISTED {
        let more = faulty.len() - MOST_LISTED;
        faults.push(Fault::new(
            TABLE,
            format!("{more} more points are not valid"),
        ));
    }
    ScenarioError {
        file: file.to_owned(),
        faults,
    }
}
