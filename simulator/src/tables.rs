//! The tables of a run and of a sweep: in their folders as Parquet files that any data frame reads, and exported as CSV.

mod attacks;
mod csv;
mod parquet;
mod rows;
mod sweep;

pub use self::attacks::attacks;
pub use self::csv::stacked;
pub use self::sweep::sweep;

use crate::events::{Course, RoundFigures};
use report::RunReport;
use report::model::{Pool, SubjectScore};

/// Columns of equal length.
#[derive(Debug)]
pub struct Table(Vec<Column>);

/// One column with its values; `None` is null.
#[derive(Debug)]
enum Column {
    Integers(&'static str, Vec<i32>),
    Counts(&'static str, Vec<u64>),
    Reals(String, Vec<Option<f64>>),
    Texts(String, Vec<String>),
}

/// One row a round, with accuracy (or `r_squared`), loss, ε by unit, and the AUC of every attack and regime.
pub fn rounds(rounds: &[RoundFigures], report: &RunReport) -> Table {
    let reals = |name: &str, value: fn(&RoundFigures) -> f64| {
        Column::Reals(
            name.to_owned(),
            rounds.iter().map(|figures| Some(value(figures))).collect(),
        )
    };
    let quality = rounds.first().map_or("accuracy", |at| at.quality.key());
    let mut columns = vec![
        Column::Integers(
            "round",
            rounds
                .iter()
                .map(|figures| figures.round.cast_signed())
                .collect(),
        ),
        reals(quality, |figures| figures.quality.get()),
        reals("loss", |figures| figures.loss.get()),
        reals("epsilon_record", |figures| figures.epsilon_record.get()),
        reals("epsilon_subject", |figures| figures.epsilon_subject.get()),
        reals("epsilon_silo", |figures| figures.epsilon_silo.get()),
    ];
    if report.attendance.is_some() {
        columns.extend(attendance(rounds));
    }
    if rounds.iter().any(|figures| figures.clip_norm.is_some()) {
        let norms = rounds.iter().map(|figures| Some(figures.clip_norm?.get()));
        columns.push(Column::Reals("clip_norm".to_owned(), norms.collect()));
    }
    for attack in &report.leak.attacks {
        let regime = attack.regime.name();
        let auc = |round: u32| {
            attack
                .rounds
                .iter()
                .find(|at| at.round == round)
                .map(|at| at.auc.value.get())
        };
        columns.push(Column::Reals(
            format!("auc {} {regime}", attack.attack),
            rounds.iter().map(|figures| auc(figures.round)).collect(),
        ));
    }
    Table(columns)
}

/// How each round went: who was missing, how often it was asked for, and what it took on a simulated network.
fn attendance(rounds: &[RoundFigures]) -> [Column; 5] {
    let courses = || rounds.iter().map(|figures| &figures.course);
    let names = |course: &Course| {
        let silos = course
            .missing
            .iter()
            .map(|missing| missing.silo.to_string());
        silos.collect::<Vec<_>>().join(" ")
    };
    let missing = |course: &Course| (course.missing.len() as u32).cast_signed();
    let seconds = |course: &Course| Some(course.network?.seconds.get());
    let bytes = |course: &Course| Some(course.network?.bytes as f64);
    [
        Column::Integers("missing", courses().map(missing).collect()),
        Column::Texts("missing_silos".to_owned(), courses().map(names).collect()),
        Column::Integers(
            "attempts",
            courses()
                .map(|course| course.attempts.cast_signed())
                .collect(),
        ),
        Column::Reals(
            "virtual_seconds".to_owned(),
            courses().map(seconds).collect(),
        ),
        Column::Reals("bytes".to_owned(), courses().map(bytes).collect()),
    ]
}

/// One row a member or non-member, with its records per silo, its ε and its scores.
pub fn subjects(report: &RunReport) -> Table {
    let subjects = &report.subjects;
    let mut columns = vec![
        Column::Integers(
            "subject",
            subjects
                .iter()
                .map(|subject| subject.id.cast_signed())
                .collect(),
        ),
        Column::Integers(
            "member",
            subjects
                .iter()
                .map(|s| i32::from(s.pool == Pool::Member))
                .collect(),
        ),
        Column::Integers(
            "records",
            subjects.iter().map(|s| s.records() as i32).collect(),
        ),
        Column::Texts(
            "records_per_silo".to_owned(),
            subjects.iter().map(records_per_silo).collect(),
        ),
        Column::Reals(
            "epsilon".to_owned(),
            subjects
                .iter()
                .map(|subject| subject.epsilon.map(report::model::Epsilon::get))
                .collect(),
        ),
    ];
    columns.push(Column::Reals(
        "exposure_rank".to_owned(),
        subjects
            .iter()
            .map(|subject| subject.exposure_rank.map(f64::from))
            .collect(),
    ));
    for attack in &report.leak.attacks {
        let regime = attack.regime.name();
        let column = |what: &str, value: fn(&SubjectScore) -> Option<f64>| {
            let of_subject = |subject: &report::model::Subject| {
                let mut scored = subject.scores.iter();
                scored
                    .find(|score| score.attack == attack.attack && score.regime == attack.regime)
                    .and_then(value)
            };
            Column::Reals(
                format!("{what} {} {regime}", attack.attack),
                subjects.iter().map(of_subject).collect(),
            )
        };
        columns.push(column("score", |score| Some(score.score.get())));
        columns.push(column("exposure", |score| Some(score.exposure?.get())));
        let of_runs = |over: &report::model::OverRuns| {
            over.attack == attack.attack && over.regime == attack.regime
        };
        if report.leak.over_runs.iter().any(of_runs) {
            columns.push(column("own auc", |score| Some(score.own_auc?.value.get())));
        }
    }
    Table(columns)
}

fn records_per_silo(subject: &report::model::Subject) -> String {
    let held: Vec<String> = subject
        .holdings
        .iter()
        .map(|holding| format!("{}:{}", holding.silo, holding.records))
        .collect();
    held.join(" ")
}
