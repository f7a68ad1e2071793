//! The findings in plain words, computed from the numbers.
//!
//! Every rendering opens with these sentences, so they are made in one place. A sentence never says
//! more than its number: chance is "as far as n subjects can tell", the strongest of several attacks is
//! called that, and a promise of ∞ is called no promise.

use crate::format;
use crate::model::{
    AttackReport, CheckOutcome, Guarantee, HowEnded, Interval, PrivacyUnit, Quality, Real, Regime,
    RunReport,
};

/// A sentence whose figures can be set apart from its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence(Vec<Span>);

/// A stretch of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Words.
    Words(String),
    /// A figure, to be emphasised.
    Figure(String),
}

impl Span {
    /// What it says, emphasised or not.
    pub fn text(&self) -> &str {
        match self {
            Self::Words(text) | Self::Figure(text) => text,
        }
    }
}

impl Sentence {
    /// The stretches in order.
    pub fn spans(&self) -> &[Span] {
        &self.0
    }

    pub(crate) fn say(mut self, words: impl Into<String>) -> Self {
        self.0.push(Span::Words(words.into()));
        self
    }

    pub(crate) fn figure(mut self, figure: impl Into<String>) -> Self {
        self.0.push(Span::Figure(figure.into()));
        self
    }
}

pub(crate) fn sentence() -> Sentence {
    Sentence::default()
}

/// The findings, in the order utility, promise, leak, reservations.
pub fn findings(report: &RunReport) -> Vec<Sentence> {
    let mut all = vec![utility(report), promise(report)];
    all.extend(
        Regime::ALL
            .iter()
            .filter_map(|&regime| leak(report, regime)),
    );
    if report.leak.attacks.is_empty() {
        all.push(sentence().say("No attack was run, so what leaks in practice is not known."));
    }
    all.extend(attendance(report));
    all.extend(reservations(report));
    all
}

fn utility(report: &RunReport) -> Sentence {
    let rounds = format::count(u64::from(report.ending.rounds_finished));
    let after = match report.ending.rounds_finished {
        0 => "Before any training".to_owned(),
        1 => "After 1 round".to_owned(),
        _ => format!("After {rounds} rounds"),
    };
    let Some(last) = report.utility.rounds.last() else {
        return sentence().say(format!(
            "{after} the run ended without measuring the model."
        ));
    };
    let shown = format::quality(last.quality);
    let of_what = &report.utility.of_what;
    let start = match last.quality {
        Quality::Accuracy(_) => sentence()
            .say(format!("{after} the model is right on "))
            .figure(shown)
            .say(format!(" of {of_what}")),
        Quality::RSquared(_) => sentence()
            .say(format!("{after} the model has an R² of "))
            .figure(shown)
            .say(format!(" on {of_what}")),
    };
    match report.utility.baseline {
        Some(baseline) => start
            .say(" (always giving the most frequent answer: ")
            .say(format::percent(baseline.majority.get()))
            .say(")."),
        None => start.say(" (always giving the mean: 0)."),
    }
}

fn promise(report: &RunReport) -> Sentence {
    let nouns = &report.identity.nouns;
    let subject = &nouns.subject.one;
    let Some(guarantee) = report.promise.guarantee(PrivacyUnit::Subject) else {
        return sentence().say(format!(
            "Nothing was accounted for {}.",
            format::with_article(subject)
        ));
    };
    let Some(nats) = guarantee.epsilon.finite() else {
        let why = guarantee
            .why_infinite
            .as_deref()
            .map_or(String::new(), |why| format!(": {why}"));
        let start = sentence()
            .say("Formally, nothing is promised to ")
            .say(format::with_article(subject))
            .say(" (")
            .figure("ε = ∞")
            .say(format!("){}.", why.trim_end_matches('.')));
        return match record_only(report) {
            Some(record) => start.say(format!(
                " A single {} is protected, with ε at most {}.",
                nouns.record.one,
                format::epsilon_upper(record.epsilon)
            )),
            None => start,
        };
    };
    sentence()
        .say(format!(
            "Formally, {}’s privacy loss is at most ",
            format::with_article(subject)
        ))
        .figure(format!(
            "ε\u{a0}=\u{a0}{}",
            format::epsilon_upper(guarantee.epsilon)
        ))
        .say(format!(
            " at δ\u{a0}=\u{a0}{}: ",
            format::delta(guarantee.delta.get())
        ))
        .say(meaning(nats))
}

fn record_only(report: &RunReport) -> Option<&Guarantee> {
    report
        .promise
        .guarantee(PrivacyUnit::Record)
        .filter(|guarantee| guarantee.epsilon.finite().is_some())
}

/// What a finite ε means for an observer who thought the odds were even.
fn meaning(nats: f64) -> String {
    let belief = 1.0 / (1.0 + (-nats).exp());
    let verdict = match belief {
        b if b <= 0.75 => "a strong promise",
        b if b <= 0.96 => "a moderate promise",
        _ => "a formal limit that on its own rules out little",
    };
    let sure = match sureness(belief) {
        Some(sure) => format!("at most {sure} sure"),
        None => "all but certain".to_owned(),
    };
    format!(
        "whoever thought it even odds that the person took part can become {sure} by looking at the \
         model, but for a failure chance of δ. That is {verdict}."
    )
}

/// A belief rounded up; none where it is as good as certainty.
fn sureness(belief: f64) -> Option<String> {
    let scale = if belief < 0.999 { 10.0 } else { 100.0 };
    let percent = (belief * 100.0 * scale - 1e-9).ceil() / scale;
    (percent < 99.995).then(|| format!("{}\u{a0}%", format::trimmed(percent, 2)))
}

fn leak(report: &RunReport, regime: Regime) -> Option<Sentence> {
    let attack = strongest(report, regime)?;
    let last = attack.last()?;
    let nouns = &report.identity.nouns;
    let subject = format::with_article(&nouns.subject.one);
    let n = u64::from(attack.adversary_records);
    let start = match regime {
        Regime::Fresh => format!(
            "An attacker who holds {} other {} of {subject}, never trained on,",
            format::count(n),
            if n == 1 {
                &nouns.record.one
            } else {
                &nouns.record.many
            },
        ),
        Regime::TrainingRecords => format!(
            "One who holds the very {} that {subject} would have trained with",
            nouns.record.many
        ),
    };
    let rivals = report
        .leak
        .attacks
        .iter()
        .filter(|other| other.regime == regime)
        .count();
    let by = match rivals {
        1 => format!("by {}", lower_first(&attack.title)),
        _ => format!(
            "by {}, the strongest of {rivals} attacks",
            lower_first(&attack.title)
        ),
    };
    Some(
        sentence()
            .say(format!("{start} tells members from non-members with "))
            .figure(auc_figure(&last.auc))
            .say(format!(" ({by}): "))
            .say(format!(
                "{}.",
                verdict(
                    &last.auc,
                    u64::from(attack.members + attack.non_members),
                    &nouns.subject.many
                )
            )),
    )
}

fn lower_first(text: &str) -> String {
    // Names such as "LiRA" and "RMIA" keep their capitals.
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second))
            if second.is_lowercase() && !text[1..].contains(char::is_uppercase) =>
        {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

fn auc_figure(auc: &Interval) -> String {
    format!("AUC\u{a0}{}", format::interval(auc, 2))
}

/// What an AUC means, judged by its interval.
pub(crate) fn verdict(auc: &Interval, evaluated: u64, subjects: &str) -> String {
    if auc.covers(0.5) {
        return format!(
            "no better than chance, as far as {} {subjects} can tell",
            format::count(evaluated)
        );
    }
    if auc.high.get() < 0.5 {
        return "worse than chance, which no attack should be: see the checks below".to_owned();
    }
    let pairs = format!(
        "shown one member and one non-member, it picks the member {} times in 100",
        format::fixed(100.0 * auc.value.get(), 0)
    );
    let strength = match auc.value.get() {
        value if value < 0.6 => "a little better than chance",
        value if value < 0.75 => "clearly better than chance",
        value if value < 0.9 => "far better than chance",
        _ => "nearly everybody is exposed",
    };
    format!("{strength}; {pairs}")
}

/// The attack with the highest AUC after the last round in `regime`; the first of several.
pub(crate) fn strongest(report: &RunReport, regime: Regime) -> Option<&AttackReport> {
    let auc = |attack: &AttackReport| {
        attack
            .last()
            .map_or(f64::NEG_INFINITY, |last| last.auc.value.get())
    };
    report
        .leak
        .attacks
        .iter()
        .filter(|attack| attack.regime == regime && !attack.rounds.is_empty())
        .reduce(|best, next| if auc(next) > auc(best) { next } else { best })
}

fn reservations(report: &RunReport) -> Vec<Sentence> {
    let mut all = Vec::new();
    if let Some(text) = ending(report) {
        all.push(sentence().say(text));
    }
    let tripped: Vec<_> = report.leak.tripped().collect();
    if !tripped.is_empty() {
        let count = report.leak.checks.len();
        all.push(
            sentence()
                .figure(format!("{} of {count} checks tripped", tripped.len()))
                .say(": an attack whose answer was known beforehand came out otherwise, so do not quote the attack figures."),
        );
    }
    for check in tripped {
        let found = format!(" ({})", check.found);
        let meaning = format!("{found}. {}", check.meaning);
        all.push(sentence().figure(check.name.clone()).say(meaning));
    }
    for check in report.leak.with(CheckOutcome::Caution) {
        let text = format!(" is a caution ({}). {}", check.found, check.meaning);
        all.push(sentence().figure(check.name.clone()).say(text));
    }
    if report
        .audit
        .as_ref()
        .is_some_and(|audit| audit.crossings().next().is_some())
    {
        all.push(sentence().figure("The audit refutes the promise").say(
            ": what was done protects less than what the accountant was told, so one of the two is wrong.",
        ));
    } else if report.audit.as_ref().is_some_and(|audit| !audit.passed()) {
        all.push(sentence().figure("The noise is not the ledger’s").say(
            ": the audit’s readings differ from what the accountant was told, so do not quote ε.",
        ));
    }
    let failed: Vec<_> = report.gates.iter().filter(|gate| !gate.passed).collect();
    if !failed.is_empty() {
        let names: Vec<_> = failed.iter().map(|gate| gate.name.as_str()).collect();
        all.push(
            sentence()
                .figure(format!(
                    "{} of {} limits failed",
                    failed.len(),
                    report.gates.len()
                ))
                .say(format!(": {}.", names.join(", "))),
        );
    }
    all
}

/// Who was missing and how often rounds were asked for again, if it is worth a sentence.
pub(crate) fn attendance(report: &RunReport) -> Vec<Sentence> {
    let Some(attendance) = &report.attendance else {
        return Vec::new();
    };
    let rounds = attendance.rounds.len();
    let silo = &report.identity.nouns.silo;
    let mut all = Vec::new();
    match attendance.absences().count() {
        0 => {}
        absences => {
            let without: usize = attendance.rounds.iter().map(|r| r.missing.len()).sum();
            let what = match without {
                1 => "one update was asked for and has no part in a model; it is charged all the same.".to_owned(),
                _ => format!("{without} updates were asked for and have no part in a model; they are charged all the same."),
            };
            all.push(
                sentence()
                    .say("In ")
                    .figure(format!("{absences} of {rounds} rounds"))
                    .say(format!(
                        " {} was missing: {what}",
                        format::with_article(&silo.one)
                    )),
            );
        }
    }
    let repeats: u32 = attendance
        .rounds
        .iter()
        .map(|round| round.attempts - 1)
        .sum();
    if repeats > 0 {
        let times = if repeats == 1 { "once" } else { "times" };
        let count = if repeats == 1 {
            String::new()
        } else {
            format!("{repeats} ")
        };
        all.push(
            sentence()
                .say("Rounds without a quorum were asked for again ")
                .figure(format!("{count}{times}"))
                .say(", which costs nothing more: whoever has answered has one answer a round."),
        );
    }
    let seconds: Option<f64> = attendance
        .rounds
        .iter()
        .map(|round| round.seconds.map(Real::get))
        .sum();
    if let Some(seconds) = seconds {
        let bytes: u64 = attendance.rounds.iter().filter_map(|r| r.bytes).sum();
        all.push(
            sentence()
                .say("On the scenario’s network the rounds took ")
                .figure(format!("{} s", format::trimmed(seconds, 1)))
                .say(format!(
                    " of virtual time and {} bytes over all links.",
                    format::count(bytes)
                )),
        );
    }
    all
}

/// Why the run is shorter than planned, if it is.
pub(crate) fn ending(report: &RunReport) -> Option<String> {
    let ending = &report.ending;
    let how = match ending.how {
        HowEnded::Finished => return None,
        HowEnded::BudgetReached => "the next round would have overspent the privacy budget",
        HowEnded::QuorumLost => "too few silos were left",
        HowEnded::Interrupted => "it was interrupted and can be resumed",
    };
    let why = if ending.why.is_empty() {
        String::new()
    } else {
        format!(" ({})", ending.why)
    };
    Some(format!(
        "The run stopped after {} of {} rounds: {how}{why}.",
        ending.rounds_finished, ending.rounds_planned
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_no_more_than_its_interval() {
        let say = |value, low, high| verdict(&Interval::new(value, low, high), 400, "writers");
        assert_eq!(
            say(0.53, 0.49, 0.57),
            "no better than chance, as far as 400 writers can tell"
        );
        assert!(say(0.53, 0.51, 0.55).starts_with("a little better than chance; shown one member"));
        assert!(say(0.97, 0.95, 0.99).starts_with("nearly everybody"));
        assert!(say(0.40, 0.35, 0.45).starts_with("worse than chance"));
    }

    #[test]
    fn belief_is_rounded_up_and_never_certain() {
        assert_eq!(sureness(0.5).unwrap(), "50\u{a0}%");
        assert_eq!(sureness(0.731_06).unwrap(), "73.2\u{a0}%");
        assert_eq!(sureness(0.999_66).unwrap(), "99.97\u{a0}%");
        assert_eq!(sureness(0.999_99), None);
    }

    #[test]
    fn titles_lose_their_capital_and_acronyms_keep_theirs() {
        assert_eq!(lower_first("Loss threshold"), "loss threshold");
        assert_eq!(lower_first("LiRA"), "LiRA");
        assert_eq!(lower_first("RMIA"), "RMIA");
    }
}
