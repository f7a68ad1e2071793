//! A run's ledger, accounted for once more and held against its report.

use super::answer::real;
use super::numbers;
use crate::args::OutputArgs;
use crate::commands;
use crate::exit::{Exit, Failure};
use crate::folder::{self, FolderError};
use crate::recorder::{LEDGER, UNDER_WAY};
use crate::session;
use crate::statement::{self, Everybody, MOST_WORK, RELATION};
use accounting::{
    Accountant, Delta, Holdings, LedgerEntry, Odometer, PldAccountant, Presence, PrivacyUnit,
    RdpAccountant, RecordsPerSilo,
};
use report::RunReport;
use report::model::{AccountantBound, Epsilon, Guarantee};
use serde_json::{Value, json};
use std::path::Path;

/// Further than this from the report's number, relative to it where it is above one, is another number. Bounds by
/// another version of the accountant differ by no more than its interval is wide.
const SAME: f64 = 2e-3;

/// A subject as the run counted it.
struct Member {
    id: u32,
    records: RecordsPerSilo,
    reported: Option<Epsilon>,
}

/// What a run folder says, apart from its ledger.
struct Books {
    delta: Delta,
    members: Vec<Member>,
    report: Option<RunReport>,
}

/// Replays the ledger of a run and says whether its report agrees.
///
/// # Errors
/// If the folder is no run, or its ledger is damaged.
pub fn replay(run: &Path, output: OutputArgs) -> Result<Exit, Failure> {
    let path = commands::find_run(run);
    if !path.exists() {
        let message = format!(
            "{} is neither a question nor a run: questions are epsilon, delta, noise, steps, rate and curve; runs \
             are folders under runs/",
            run.display()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let books = Books::open(&path)?;
    let entries = entries(&path)?;
    let delta = books.delta;
    let holdings = Holdings::new(books.members.iter().map(|member| member.records.clone()));
    let mut odometer = followed(statement::accountant(), &entries)?;
    let everybody = Everybody::read(&mut odometer, &holdings, delta);
    let guarantees = statement::guarantees(&mut odometer, &holdings, &everybody, delta);
    let (disagreements, farthest) = books.disagreements(&guarantees, &everybody);
    let exit = if disagreements.is_empty() {
        Exit::Ok
    } else {
        Exit::Failed
    };
    if output.json {
        let content = json!({
            "run": path,
            "entries": entries.len(),
            "delta": delta.get(),
            "relation": RELATION,
            "guarantees": guarantees,
            "median_subject": everybody.median.map(|at| books.members[at].id),
            "note": everybody.note,
            "subjects": subjects(&books, &holdings, &everybody, &entries)?,
            "compared": books.report.is_some(),
            "agrees": books.report.is_some().then_some(disagreements.is_empty()),
            "disagreements": disagreements,
            "largest_difference": farthest,
        });
        commands::print_json("account", exit, content)?;
    } else {
        let mut rows = Vec::new();
        for (unit, guarantee) in UNITS.into_iter().zip(&guarantees) {
            rows.push((
                format!("{unit}, worst-off"),
                guarantee.by_accountant.clone(),
                guarantee.epsilon,
            ));
            if let Some(at) = everybody.median.filter(|_| unit == PrivacyUnit::Subject) {
                let median = accounting::Holding::Subject(books.members[at].records.clone());
                let bounds = statement::bounds(&mut odometer, &median, delta);
                rows.push(("subject, median".to_owned(), bounds, everybody.middle));
            }
        }
        let mut lines = vec![
            format!(
                "{}: {} ledger entries, {} subjects",
                path.display(),
                entries.len(),
                books.members.len()
            ),
            format!("at δ = {delta:e}, neighbours: add or remove one"),
            String::new(),
        ];
        lines.extend(table(&rows));
        lines.push(String::new());
        let (worst, _) = odometer.worst(PrivacyUnit::Subject, &holdings, delta);
        if let Presence::Subject(records) = worst.presence() {
            lines.push(format!("worst-off subject: {records}"));
        }
        let whys = guarantees
            .iter()
            .filter_map(|guarantee| guarantee.why_infinite.as_ref());
        lines.extend(whys.map(|why| format!("no bound: {why}")));
        lines.extend(everybody.note.clone());
        lines.push(match (&books.report, &disagreements[..]) {
            (None, _) => "report.json: none yet; finish the run with siloscope resume".to_owned(),
            (Some(_), []) => format!(
                "report.json: agrees on record, subject and silo and on each of {} subjects, {}",
                books.members.len(),
                if farthest > 0.0 {
                    format!("to {}; another version wrote it", numbers::upper(farthest))
                } else {
                    "to the last digit".to_owned()
                }
            ),
            (Some(_), all) => format!("report.json: disagrees\n  {}", all.join("\n  ")),
        });
        crate::progress::print(&(lines.join("\n") + "\n"))?;
    }
    Ok(exit)
}

const UNITS: [PrivacyUnit; 3] = [PrivacyUnit::Record, PrivacyUnit::Subject, PrivacyUnit::Silo];

fn table(rows: &[(String, Vec<AccountantBound>, Epsilon)]) -> Vec<String> {
    let head = format!(
        "  {:<18} {:>12} {:>13} {:>12} {:>12}",
        "", "RDP at most", "PLD at least", "PLD at most", "ε at most"
    );
    let row = |(name, bounds, epsilon): &(String, Vec<AccountantBound>, Epsilon)| {
        let by = |name: &str| bounds.iter().find(|bound| bound.accountant == name);
        let most = |name| {
            by(name).map_or_else(|| "—".to_owned(), |bound| numbers::upper(bound.upper.get()))
        };
        let least = by("PLD").and_then(|bound| bound.lower);
        let least = least.map_or_else(|| "—".to_owned(), |least| numbers::lower(least.get()));
        format!(
            "  {name:<18} {:>12} {least:>13} {:>12} {:>12}",
            most("RDP"),
            most("PLD"),
            numbers::upper(epsilon.get())
        )
    };
    std::iter::once(head).chain(rows.iter().map(row)).collect()
}

impl Books {
    /// Reads the report, or the plan of a run that has none yet.
    fn open(path: &Path) -> Result<Self, Failure> {
        if let Some(finished) = session::finished(path)? {
            let report = finished.report;
            let delta = report
                .promise
                .guarantees
                .first()
                .map(|guarantee| guarantee.delta.get());
            let delta = delta.and_then(|delta| Delta::try_new(delta).ok());
            let delta = delta.ok_or_else(|| {
                Failure::run(format!(
                    "{}: report.json states no δ: write it again with siloscope report",
                    path.display()
                ))
            })?;
            let members = report
                .subjects
                .iter()
                .filter(|subject| !subject.holdings.is_empty());
            let members = members
                .map(|subject| Member {
                    id: subject.id,
                    records: RecordsPerSilo::new(
                        subject
                            .holdings
                            .iter()
                            .map(|holding| (holding.silo, holding.records)),
                    ),
                    reported: subject.epsilon,
                })
                .collect();
            return Ok(Self {
                delta,
                members,
                report: Some(report),
            });
        }
        let resolved = session::reopen(path)?;
        let members = resolved.schedule.holdings().into_iter();
        Ok(Self {
            delta: resolved.file.scenario.privacy.delta(),
            members: members
                .map(|(subject, records)| Member {
                    id: subject.0,
                    records,
                    reported: None,
                })
                .collect(),
            report: None,
        })
    }

    /// Where the report says something else than the ledger, and the largest difference that is none.
    fn disagreements(&self, guarantees: &[Guarantee], everybody: &Everybody) -> (Vec<String>, f64) {
        let (mut found, mut farthest) = (Vec::new(), 0.0_f64);
        let mut compare = |what: String, reported: Epsilon, replayed: Epsilon| {
            if same(reported, replayed) {
                if let (Some(a), Some(b)) = (reported.finite(), replayed.finite()) {
                    farthest = farthest.max((a - b).abs());
                }
            } else {
                let words = |epsilon: Epsilon| real(epsilon.get()).to_string();
                found.push(format!(
                    "{what}: reported {}, replayed {}",
                    words(reported),
                    words(replayed)
                ));
            }
        };
        let Some(report) = &self.report else {
            return (found, farthest);
        };
        for (reported, replayed) in report.promise.guarantees.iter().zip(guarantees) {
            let unit = serde_json::to_value(replayed.unit).unwrap_or_default();
            let unit = unit.as_str().unwrap_or_default().to_owned();
            compare(unit, reported.epsilon, replayed.epsilon);
        }
        for (member, &replayed) in self.members.iter().zip(&everybody.losses) {
            let reported = member.reported.unwrap_or(Epsilon::INFINITE);
            compare(format!("subject {}", member.id), reported, replayed);
        }
        (found, farthest)
    }
}

fn same(a: Epsilon, b: Epsilon) -> bool {
    match (a.finite(), b.finite()) {
        (Some(a), Some(b)) => (a - b).abs() <= SAME * a.max(b).max(1.0),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Every line of the ledger, and what a round has released that was under way when the run was stopped.
fn entries(path: &Path) -> Result<Vec<LedgerEntry>, Failure> {
    let mut entries = lines(&path.join(LEDGER))?;
    let recorded = entries.last().map_or(0, LedgerEntry::round);
    let under_way = lines(&path.join(UNDER_WAY))?;
    entries.extend(
        under_way
            .into_iter()
            .filter(|entry| entry.round() > recorded),
    );
    Ok(entries)
}

fn lines(file: &Path) -> Result<Vec<LedgerEntry>, Failure> {
    if !file.exists() {
        // A run that released nothing has written no line.
        return Ok(Vec::new());
    }
    let bytes = folder::read(file)?;
    let text = String::from_utf8_lossy(&bytes);
    let entry = |(line, text): (usize, &str)| {
        serde_json::from_str(text).map_err(|error| {
            let what = format!("line {}: {error}", line + 1);
            FolderError::Damaged {
                path: file.to_owned(),
                what,
            }
            .into()
        })
    };
    text.lines().enumerate().map(entry).collect()
}

fn followed<A: Accountant + Clone>(
    prototype: A,
    entries: &[LedgerEntry],
) -> Result<Odometer<A>, Failure> {
    let mut odometer = Odometer::new(prototype);
    for entry in entries {
        odometer.append(entry.clone()).map_err(Failure::run)?;
    }
    Ok(odometer)
}

/// Every subject by every accountant.
fn subjects(
    books: &Books,
    holdings: &Holdings,
    everybody: &Everybody,
    entries: &[LedgerEntry],
) -> Result<Vec<Value>, Failure> {
    let rdp = followed(RdpAccountant::new(RELATION), entries)?.subjects(holdings, books.delta);
    let mut numerical = followed(PldAccountant::new(RELATION), entries)?;
    let pld = if numerical.work(holdings) <= MOST_WORK {
        numerical.subjects(holdings, books.delta)
    } else {
        Vec::new()
    };
    Ok(books
        .members
        .iter()
        .enumerate()
        .map(|(at, member)| {
            json!({
                "id": member.id,
                "records": member.records,
                "epsilon": everybody.losses[at],
                "rdp": real(rdp[at].epsilon.get()),
                "pld": pld.get(at).map(|loss| real(loss.epsilon.get())),
                "reported": member.reported,
            })
        })
        .collect())
}
