//! The page is one well-formed file that asks for nothing, whatever the run was like.

mod fixture;

use fixture::html::{assert_offline, assert_well_formed};
use siloscope_report::model::{
    Attendance, AttendanceRound, CostOfAbsence, HowEnded, Leak, MissingSilo, Noun, Quality,
};
use siloscope_report::{Comparison, RunReport, figures};

fn assert_sound(report: &RunReport) -> String {
    let html = report.to_html();
    assert_well_formed(&html);
    assert_offline(&html);
    assert!(
        !html.contains("NaN") && !html.contains("inf<"),
        "a raw number on the page"
    );
    html
}

#[test]
fn a_protected_run_tells_everything_in_order() {
    let html = assert_sound(&fixture::report(fixture::PRIVATE));
    let order = [
        "What was promised</h2>",
        "What leaked</h2>",
        "What it cost</h2>",
        "The federation’s shape</h2>",
        "Two numbers on one axis</h2>",
        "Can this be believed?</h2>",
        "Settings</h2>",
        "Words</h2>",
        "Do it again</h2>",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|heading| html.find(heading).expect(heading))
        .collect();
    assert!(places.is_sorted());
}

#[test]
fn every_figure_has_a_caption_and_words_for_those_who_cannot_see_it() {
    let report = fixture::report(fixture::PRIVATE);
    let html = report.to_html();
    let all = figures(&report);
    assert_eq!(all.len(), 20);
    assert_eq!(html.matches("<figure ").count(), all.len());
    assert_eq!(html.matches("<figcaption>").count(), all.len());
    assert_eq!(
        html.matches("role=\"img\" aria-label=\"").count(),
        all.len()
    );
    for figure in all {
        let svg = figure.to_svg();
        assert_well_formed(&svg);
        assert!(
            svg.contains("<title>") && !svg.contains("var(") && !svg.contains("#5A0"),
            "{}",
            figure.name
        );
    }
}

#[test]
fn no_protection_is_called_no_promise() {
    let html = assert_sound(&fixture::report(fixture::BARE));
    assert!(html.contains("Formally, nothing is promised to a writer"));
    assert!(html.contains("nothing is clipped and no noise is added"));
    assert!(html.contains("1 of 2 limits failed"));
}

#[test]
fn runs_with_little_to_tell_are_still_reports() {
    let html = assert_sound(&fixture::empty());
    assert!(html.contains("No attack was run"));
    assert!(html.contains("The run stopped after 0 of 30 rounds"));

    let one = fixture::World {
        rounds: 1,
        members: 3,
        non_members: 2,
        silos: 1,
        ..fixture::PRIVATE
    };
    assert!(assert_sound(&fixture::report(one)).contains("After 1 round the model"));
    let none = fixture::World {
        rounds: 0,
        ..fixture::PRIVATE
    };
    assert_sound(&fixture::report(none));

    let mut report = fixture::report(fixture::PRIVATE);
    report.leak = Leak::default();
    report.ending.how = HowEnded::Interrupted;
    assert_sound(&report);
    report.subjects.clear();
    assert_sound(&report);
}

#[test]
fn who_was_missing_is_told_with_what_it_cost() {
    let mut report = fixture::report(fixture::PRIVATE);
    let round = |round, missing: &[u32]| AttendanceRound {
        round,
        finished: round < 9,
        attempts: if round == 7 { 3 } else { 1 },
        missing: missing
            .iter()
            .map(|&silo| MissingSilo {
                silo,
                why: "no update came in <time>".to_owned(),
            })
            .collect(),
        seconds: Some((1.5).into()),
        bytes: Some(1000),
    };
    let missing = [&[][..], &[1], &[1], &[1, 2], &[], &[1], &[], &[], &[0, 1]];
    report.attendance = Some(Attendance {
        rounds: (1..)
            .zip(missing)
            .map(|(at, silos)| round(at, silos))
            .collect(),
        cost: Some(CostOfAbsence {
            charged: (4.0).into(),
            used: (3.25).into(),
        }),
    });
    let html = assert_sound(&report);
    for words in [
        "Who was missing",
        "<strong>5 of 9 rounds</strong>",
        "7 updates were asked for",
        "asked for again <strong>2 times</strong>",
        "<strong>13.5 s</strong> of virtual time and 9,000 bytes",
        "2–4, 6, 9",
        "promised ε ≤ 4",
        "it would be 3.25;",
        "no update came in &lt;time&gt; – the round was given up, and is charged",
    ] {
        assert!(html.contains(words), "no {words:?}");
    }
    let json = report.to_json();
    assert_eq!(RunReport::from_json(&json).unwrap(), report);
}

#[test]
fn a_run_that_predicts_numbers_speaks_of_r_squared_and_never_of_accuracy() {
    let report = fixture::regression();
    assert_sound(&report);
    let html = report.to_html();
    assert!(html.contains("R²") && html.contains("squared error"));
    for words in ["ccuracy", "nats", "Right answers", "frequent answer"] {
        assert!(!html.contains(words), "{words}");
    }
    let json = report.to_json();
    assert!(json.contains("\"r_squared\": 0.8") && !json.contains("\"accuracy\""));
    assert_eq!(RunReport::from_json(&json).unwrap(), report);
    let pair = [report.clone(), report.clone()];
    let page = Comparison::try_new(&pair).unwrap().to_html();
    assert!(!page.contains("ccuracy"));
    let mixed = [report, fixture::report(fixture::PRIVATE)];
    let comparison = Comparison::try_new(&mixed).unwrap();
    let cautions = comparison.cautions().join(" ");
    assert!(cautions.contains("cannot be compared"), "{cautions}");
    assert!(!comparison.to_html().contains("Scatter plot"));
}

#[test]
fn numbers_that_gave_out_are_shown_as_such() {
    let mut report = fixture::report(fixture::PRIVATE);
    for round in &mut report.utility.rounds[10..] {
        round.loss = f64::NAN.into();
        round.quality = Quality::Accuracy(f64::NAN.into());
    }
    for subject in &mut report.subjects {
        for score in &mut subject.scores {
            score.score = f64::INFINITY.into();
        }
    }
    assert_sound(&report);
}

#[test]
fn ten_thousand_subjects_fit_in_two_megabytes() {
    let many = fixture::World {
        members: 5000,
        non_members: 5000,
        silos: 100,
        ..fixture::PRIVATE
    };
    let html = assert_sound(&fixture::report(many));
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    let long = fixture::World {
        rounds: 1000,
        ..fixture::PRIVATE
    };
    let html = assert_sound(&fixture::report(long));
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
}

#[test]
fn names_from_outside_stay_text() {
    const HOSTILE: &str = "<script>alert(1)</script>\"' onload=\"x\n</svg>&amp;";
    let mut report = fixture::report(fixture::PRIVATE);
    report.identity.name = HOSTILE.to_owned();
    report.identity.description = HOSTILE.to_owned();
    report.identity.command = HOSTILE.to_owned();
    report.identity.plan_digest = HOSTILE.to_owned();
    let nouns = &mut report.identity.nouns;
    for noun in [&mut nouns.record, &mut nouns.subject, &mut nouns.silo] {
        *noun = Noun::new(HOSTILE, HOSTILE);
    }
    report.utility.of_what = HOSTILE.to_owned();
    report.promise.protection = HOSTILE.to_owned();
    report.promise.mechanism = HOSTILE.to_owned();
    for guarantee in &mut report.promise.guarantees {
        guarantee.accountant = HOSTILE.to_owned();
        guarantee.why_infinite = Some(HOSTILE.to_owned());
    }
    for silo in &mut report.shape.silos {
        silo.name = HOSTILE.to_owned();
    }
    for attack in &mut report.leak.attacks {
        attack.title = HOSTILE.to_owned();
        attack.source = HOSTILE.to_owned();
    }
    for group in &mut report.settings {
        group.name = HOSTILE.to_owned();
        group.settings[0].key = HOSTILE.to_owned();
        group.settings[0].value = HOSTILE.to_owned();
    }
    report.gates[0].name = HOSTILE.to_owned();
    report.notes[0].text = HOSTILE.to_owned();
    let html = report.to_html();
    assert_well_formed(&html);
    assert!(!html.contains("<script") && !html.contains("onload=\""));
    for figure in figures(&report) {
        assert_well_formed(&figure.to_svg());
    }
    let reports = [report.clone(), report];
    assert_well_formed(&Comparison::try_new(&reports).unwrap().to_html());
}

#[test]
fn equal_reports_are_equal_pages() {
    assert_eq!(
        fixture::report(fixture::PRIVATE).to_html(),
        fixture::report(fixture::PRIVATE).to_html()
    );
}

#[test]
fn a_comparison_is_a_page_too() {
    let reports = [
        fixture::report(fixture::BARE),
        fixture::report(fixture::PRIVATE),
        fixture::empty(),
    ];
    let html = Comparison::try_new(&reports).unwrap().to_html();
    assert_well_formed(&html);
    assert_offline(&html);
    assert_eq!(html.matches("<figure ").count(), 2);
}
