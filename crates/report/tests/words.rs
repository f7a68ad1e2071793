//! What people read, word for word: changed words are a changed golden file, seen in review.
//!
//! `BLESS=1 cargo nextest run -p siloscope-report` writes the files anew.

mod fixture;

use siloscope_report::model::CheckOutcome;
use siloscope_report::{CompareError, Comparison, RunReport, TextStyle};
use std::{env, fs, path::Path};

const PLAIN: TextStyle = TextStyle {
    width: 80,
    colour: false,
};

const WIDE: TextStyle = TextStyle {
    width: 110,
    colour: false,
};

fn assert_golden(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if env::var_os("BLESS").is_some() {
        fs::write(&file, text).expect("the folder can be written");
    }
    assert_eq!(
        text,
        fs::read_to_string(&file).expect("the file is committed"),
        "{}",
        file.display()
    );
}

#[test]
fn the_terminal_summary_of_a_protected_run() {
    assert_golden(
        "private.txt",
        &fixture::report(fixture::PRIVATE).to_text(PLAIN),
    );
}

#[test]
fn the_terminal_summary_of_a_bare_run() {
    assert_golden("bare.txt", &fixture::report(fixture::BARE).to_text(PLAIN));
}

#[test]
fn the_terminal_summary_of_a_run_that_predicts_numbers() {
    assert_golden("regression.txt", &fixture::regression().to_text(PLAIN));
}

#[test]
fn the_terminal_summary_of_a_run_that_never_began() {
    assert_golden("empty.txt", &fixture::empty().to_text(PLAIN));
}

#[test]
fn runs_that_predict_classes_and_numbers_side_by_side() {
    let reports = [fixture::regression(), fixture::report(fixture::PRIVATE)];
    let text = Comparison::try_new(&reports).unwrap().to_text(TextStyle {
        width: 120,
        colour: false,
    });
    assert_golden("compare-mixed.txt", &text);
}

#[test]
fn runs_side_by_side() {
    let reports = [
        fixture::report(fixture::BARE),
        fixture::report(fixture::PRIVATE),
    ];
    let text = Comparison::try_new(&reports).unwrap().to_text(TextStyle {
        width: 120,
        colour: false,
    });
    assert_golden("compare.txt", &text);
}

#[test]
fn the_terminal_summaries_of_sweeps() {
    assert_golden("sweep-grid.txt", &fixture::sweep::grid().to_text(WIDE));
    assert_golden("sweep-lone.txt", &fixture::sweep::lone().to_text(PLAIN));
    let report = fixture::sweep::one_at_a_time();
    assert_golden("sweep-one-at-a-time.txt", &report.to_text(WIDE));
    assert_golden("sweep-zip.txt", &fixture::sweep::zip().to_text(PLAIN));
}

#[test]
fn lines_fit_the_terminal() {
    for width in [40, 60, 100] {
        let text = fixture::report(fixture::PRIVATE).to_text(TextStyle {
            width,
            colour: false,
        });
        let sentences = text.split("\npromised\n").next().unwrap();
        assert!(
            sentences.lines().all(|line| line.chars().count() <= width),
            "{text}"
        );
    }
}

#[test]
fn colour_is_only_used_where_asked_for() {
    let report = fixture::report(fixture::PRIVATE);
    assert!(!report.to_text(PLAIN).contains('\u{1b}'));
    let coloured = report.to_text(TextStyle {
        colour: true,
        ..PLAIN
    });
    assert!(coloured.contains("\u{1b}[1m"));
    let stripped = coloured.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
    assert_eq!(stripped, report.to_text(PLAIN));
}

#[test]
fn versions_are_not_mixed() {
    let error = |reports: &[RunReport]| Comparison::try_new(reports).unwrap_err();
    assert_eq!(error(&[]), CompareError::TooFew(0));
    let mut reports = [
        fixture::report(fixture::PRIVATE),
        fixture::report(fixture::BARE),
    ];
    assert_eq!(error(&reports[..1]), CompareError::TooFew(1));
    reports[1].schema_version = 0;
    assert_eq!(
        error(&reports).to_string(),
        "quickstart has schema version 1 and no-privacy has 0: repeat the older run with this siloscope"
    );
}

#[test]
fn unfair_comparisons_are_called_so() {
    let mut reports = [
        fixture::report(fixture::PRIVATE),
        fixture::report(fixture::PRIVATE),
    ];
    assert!(Comparison::try_new(&reports).unwrap().cautions().is_empty());
    reports[1].promise.guarantees[1].delta = 1e-6.into();
    reports[1].identity.seed = 8;
    let cautions = Comparison::try_new(&reports).unwrap().cautions();
    assert_eq!(cautions.len(), 2);
    assert!(cautions[0].contains("different δ") && cautions[1].contains("different seeds"));
}

#[test]
fn a_tripped_check_is_told_with_what_it_means() {
    let mut report = fixture::report(fixture::PRIVATE);
    let gates_hold = report.gates.iter().all(|gate| gate.passed);
    assert_eq!(report.holds(), gates_hold);
    let meaning = report.leak.checks[0].meaning.clone();
    assert!(
        !report.to_html().contains(&meaning) && !report.to_text(PLAIN).contains("measures the")
    );
    report.leak.checks[0].outcome = CheckOutcome::Caution;
    report.leak.checks[1].outcome = CheckOutcome::Tripped;
    assert!(!report.holds());
    let text = report.to_text(PLAIN).replace('\n', " ");
    for part in [
        "1 of 3 checks tripped",
        "permuted-membership (AUC 0.507",
        "is a caution",
        &meaning,
    ] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert_eq!(
        report
            .to_html()
            .matches("</code>: The score measures the people")
            .count(),
        2
    );
}
