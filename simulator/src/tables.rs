//! The tables of a run, as Parquet files that any data frame reads.

use crate::events::{Course, RoundFigures};
use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use report::RunReport;
use report::model::{Pool, SubjectScore};
use std::sync::Arc;

/// One column with its values; `None` is null.
enum Column {
    Integers(&'static str, Vec<i32>),
    Reals(String, Vec<Option<f64>>),
    Texts(&'static str, Vec<String>),
}

/// `rounds.parquet`: one row a round, with accuracy (or `r_squared`), loss, ε by unit, and the AUC of every attack and regime.
///
/// # Errors
/// If the table cannot be written.
pub fn rounds(rounds: &[RoundFigures], report: &RunReport) -> Result<Vec<u8>, ParquetError> {
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
        let regime = serde_plain(attack.regime);
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
    write(&columns)
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
        Column::Texts("missing_silos", courses().map(names).collect()),
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

/// `subjects.parquet`: one row a member or non-member, with its records per silo, its ε and its scores.
///
/// # Errors
/// If the table cannot be written.
pub fn subjects(report: &RunReport) -> Result<Vec<u8>, ParquetError> {
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
            "records_per_silo",
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
        let regime = serde_plain(attack.regime);
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
    write(&columns)
}

fn records_per_silo(subject: &report::model::Subject) -> String {
    let held: Vec<String> = subject
        .holdings
        .iter()
        .map(|holding| format!("{}:{}", holding.silo, holding.records))
        .collect();
    held.join(" ")
}

/// The name under which JSON knows a regime.
fn serde_plain(regime: report::model::Regime) -> String {
    serde_json::to_value(regime)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn write(columns: &[Column]) -> Result<Vec<u8>, ParquetError> {
    let fields = columns
        .iter()
        .map(Column::field)
        .collect::<Result<_, _>>()?;
    let schema = Arc::new(
        Type::group_type_builder("table")
            .with_fields(fields)
            .build()?,
    );
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("siloscope".to_owned())
        .build();
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    for column in columns {
        let mut writer = group
            .next_column()?
            .expect("a column for every field of the schema");
        match column {
            Column::Integers(_, values) => {
                writer
                    .typed::<Int32Type>()
                    .write_batch(values, None, None)?;
            }
            Column::Texts(_, values) => {
                let values: Vec<ByteArray> = values
                    .iter()
                    .map(|text| ByteArray::from(text.as_str()))
                    .collect();
                writer
                    .typed::<ByteArrayType>()
                    .write_batch(&values, None, None)?;
            }
            Column::Reals(_, values) => {
                let levels: Vec<i16> = values
                    .iter()
                    .map(|value| i16::from(value.is_some()))
                    .collect();
                let there: Vec<f64> = values.iter().flatten().copied().collect();
                writer
                    .typed::<DoubleType>()
                    .write_batch(&there, Some(&levels), None)?;
            }
        }
        writer.close()?;
    }
    group.close()?;
    file.close()?;
    Ok(bytes)
}

impl Column {
    fn field(&self) -> Result<Arc<Type>, ParquetError> {
        let builder = match self {
            Self::Integers(name, _) => Type::primitive_type_builder(name, Physical::INT32)
                .with_repetition(Repetition::REQUIRED),
            Self::Reals(name, _) => Type::primitive_type_builder(name, Physical::DOUBLE)
                .with_repetition(Repetition::OPTIONAL),
            Self::Texts(name, _) => Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_repetition(Repetition::REQUIRED)
                .with_converted_type(ConvertedType::UTF8),
        };
        builder.build().map(Arc::new)
    }
}
