//! The page and the JSON of a sweep are sound, whatever the sweep was like.

mod fixture;

use fixture::html::{assert_offline, assert_well_formed};
use fixture::sweep::{self, failed, number, word};
use serde_json::Value;
use siloscope_report::SweepReport;
use siloscope_report::model::Quality;
use siloscope_report::sweep::{Outcomes, RegressionOutcome, Scale, State, SweepError};

fn assert_sound(report: &SweepReport) -> String {
    let html = report.to_html();
    assert_well_formed(&html);
    assert_offline(&html);
    assert!(
        !html.contains("NaN") && !html.contains("inf<"),
        "a raw number on the page"
    );
    assert_eq!(
        html.matches("<figure ").count(),
        html.matches("<figcaption>").count()
    );
    html
}

#[test]
fn a_grid_tells_everything_in_order() {
    let html = assert_sound(&sweep::grid());
    let order = [
        "265 of 270 tasks done",
        "Failed and missing</h2>",
        "<pre>siloscope sweep run sweeps/made-up</pre>",
        "What was swept</h2>",
        "What each factor does</h2>",
        "Two factors at a time</h2>",
        "Privacy against utility</h2>",
        "All factors at once</h2>",
        "All points</h2>",
        "How to read this</h2>",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|words| html.find(words).expect(words))
        .collect();
    assert!(places.is_sorted());
    // Two figures a factor, three a pair, and three frontiers.
    assert_eq!(html.matches("<figure ").count(), 2 * 3 + 3 * 3 + 3);
    assert!(html.contains("the model diverged in round 4"));
    assert!(html.contains("subject-sampling, spread = 1, members = 16"));
    assert!(html.contains("protection: record against none"));
}

#[test]
fn three_hundred_points_over_eight_factors_stay_a_page() {
    let html = assert_sound(&sweep::random(300));
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    assert_eq!(html.matches("<figure ").count(), 2 * 8 + 3 * 28 + 3);
    assert!(html.contains("in each fifth of the points by spread"));
    assert!(html.contains("<summary>All 300 points</summary>"));
}

#[test]
fn sweeps_with_little_to_tell_are_still_reports() {
    let html = assert_sound(&sweep::lone());
    assert!(!html.contains("Two factors at a time</h2>"));
    assert!(html.contains("over the seeds of one point a level"));
    // One scenario without a factor, one task.
    let (design, tasks) = sweep::sweep("grid", &[], &[Vec::new()], &[7]);
    let report = SweepReport::try_new(design, tasks, String::new()).unwrap();
    let html = assert_sound(&report);
    assert!(html.contains("1 of 1 tasks") && !html.contains("What each factor does</h2>"));
    // Runs without attacks, utility or ε.
    let (design, mut tasks) = sweep::sweep(
        "grid",
        &[sweep::factor("spread", None, Scale::Linear)],
        &[vec![number(0.0)], vec![number(1.0)]],
        &[7],
    );
    for (_, state) in &mut tasks {
        let State::Done(outcomes) = state else {
            continue;
        };
        *outcomes = Outcomes {
            attacks: Vec::new(),
            utility: None,
            epsilon: Vec::new(),
            ..outcomes.clone()
        };
    }
    let report = SweepReport::try_new(design, tasks, String::new()).unwrap();
    assert!(assert_sound(&report).contains("No attack was run"));
    assert!(report.effects.is_empty() && report.regressions.is_empty());
}

#[test]
fn a_factor_called_like_a_figure_of_the_page_gets_a_name_of_its_own() {
    let factors = ["epsilon", "auc-fresh"].map(|name| sweep::factor(name, None, Scale::Linear));
    let points = [[1.0, 30.0], [1.0, 60.0], [3.0, 30.0], [3.0, 60.0]]
        .map(|[epsilon, auc]| vec![number(epsilon), number(auc)]);
    let (design, tasks) = sweep::sweep("grid", &factors, &points, &[7, 8]);
    let html = assert_sound(&SweepReport::try_new(design, tasks, String::new()).unwrap());
    let mut ids: Vec<&str> = html
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id stands twice");
    assert!(all > 8, "{ids:?}");
}

#[test]
fn one_at_a_time_a_factor_is_told_of_by_the_points_that_move_it_alone() {
    let factors = [
        sweep::factor("spread", None, Scale::Linear),
        sweep::factor("rounds", None, Scale::Linear),
    ];
    let points = [[1.0, 30.0], [0.0, 30.0], [3.0, 30.0], [1.0, 60.0]]
        .map(|[spread, rounds]| vec![number(spread), number(rounds)]);
    let (design, tasks) = sweep::sweep("one-at-a-time", &factors, &points, &[7, 8]);
    let report = SweepReport::try_new(design, tasks, String::new()).unwrap();
    let counted = |factor: &str| -> Vec<(String, u32, u32)> {
        let measure = report.headlines[0].clone();
        let effect = report.effect(factor, &measure).unwrap();
        let levels = effect.levels.iter();
        levels
            .map(|level| (level.level.clone(), level.points, level.tasks))
            .collect()
    };
    // The point with 60 rounds has the first spread, but says nothing of it.
    let spread = ["0", "1", "3"].map(|level| (level.to_owned(), 1, 2));
    assert_eq!(counted("spread"), spread);
    assert_eq!(
        counted("rounds"),
        ["30", "60"].map(|level| (level.to_owned(), 1, 2))
    );
    assert!(report.pairs.is_empty());
    assert!(!assert_sound(&report).contains("Two factors at a time</h2>"));
}

#[test]
fn one_at_a_time_the_factor_that_moves_a_mean_furthest_is_named() {
    let report = sweep::one_at_a_time();
    let html = assert_sound(&report);
    assert!(html.contains("One factor at a time:"));
    assert!(html.contains("of all factors <strong>spread</strong> moves it furthest"));
}

#[test]
fn without_a_task_that_is_done_there_is_no_report() {
    let (design, mut tasks) = sweep::sweep("grid", &[], &[Vec::new()], &[7, 8]);
    tasks[0].1 = State::Missing;
    tasks[1].1 = failed(4, "the budget admits no round");
    let again = "siloscope sweep run x".to_owned();
    let error = SweepReport::try_new(design.clone(), tasks, again).unwrap_err();
    assert_eq!(
        error.to_string(),
        "none of 2 tasks is done (1 failed), so there is nothing to report; siloscope sweep run x runs them"
    );
    let error = SweepReport::try_new(design, Vec::new(), String::new()).unwrap_err();
    assert_eq!(error, SweepError::NoTask);
}

#[test]
fn tasks_of_another_sweep_are_refused() {
    let factors = [sweep::factor("spread", None, Scale::Linear)];
    let points = [vec![number(0.0)], vec![number(1.0)]];
    let made = || sweep::sweep("grid", &factors, &points, &[7, 8]);
    let error = |(design, tasks)| {
        SweepReport::try_new(design, tasks, String::new())
            .unwrap_err()
            .to_string()
    };
    let mut lacking = made();
    lacking.1[2].0.levels.clear();
    assert_eq!(
        error(lacking),
        "task 2 has no level of the factor \"spread\": its list of tasks is not of this sweep"
    );
    let mut torn = made();
    torn.1[1].0.levels = torn.1[3].0.levels.clone();
    assert!(error(torn).starts_with("task 1 has other levels than an earlier task of its point 0"));
}

#[test]
fn where_numbers_are_predicted_it_is_called_r_squared() {
    let factors = [sweep::factor("spread", None, Scale::Linear)];
    let points = [0.0, 1.0, 2.0].map(|spread| vec![number(spread)]);
    let (design, mut tasks) = sweep::sweep("grid", &factors, &points, &[7, 8]);
    for (k, (_, state)) in tasks.iter_mut().enumerate() {
        let State::Done(outcomes) = state else {
            continue;
        };
        outcomes.utility = Some(Quality::RSquared((0.1 * k as f64 - 0.2).into()));
    }
    let report = SweepReport::try_new(design, tasks, String::new()).unwrap();
    let html = assert_sound(&report);
    assert!(
        html.contains("The model’s R² goes from <strong>−0.150</strong>"),
        "{html}"
    );
    assert!(!html.contains("accuracy"));
    assert!(report.to_json().contains("\"r_squared\": -0.2"));
}

#[test]
fn a_number_that_gave_out_is_no_value() {
    let factors = [sweep::factor("spread", None, Scale::Linear)];
    let points = [0.0, 1.0, 2.0, 3.0].map(|spread| vec![number(spread)]);
    let (design, mut tasks) = sweep::sweep("grid", &factors, &points, &[7, 8]);
    let State::Done(outcomes) = &mut tasks[0].1 else {
        panic!("all are done")
    };
    outcomes.utility = Some(Quality::Accuracy(f64::NAN.into()));
    let report = SweepReport::try_new(design, tasks, String::new()).unwrap();
    let utility = report.utility.clone().unwrap();
    let effect = report.effect("spread", &utility).unwrap();
    assert_eq!((effect.levels[0].tasks, effect.levels[1].tasks), (1, 2));
    let RegressionOutcome::Fit(fit) = &report.regression(&utility).unwrap().outcome else {
        panic!("seven tasks are enough")
    };
    assert_eq!(fit.tasks, 7);
    assert_sound(&report);
}

#[test]
fn names_from_outside_stay_text() {
    const HOSTILE: &str = "<script>alert(1)</script>\"' onload=\"x\n</svg>&amp;";
    let factors = [
        sweep::factor(HOSTILE, Some(HOSTILE), Scale::Linear),
        sweep::factor("spread", None, Scale::Linear),
    ];
    let mut points = Vec::new();
    for label in [HOSTILE, "other"] {
        for spread in [0.0, 1.0] {
            points.push(vec![word(label), number(spread)]);
        }
    }
    let (mut design, mut tasks) = sweep::sweep(HOSTILE, &factors, &points, &[7, 8]);
    design.name = HOSTILE.to_owned();
    design.description = HOSTILE.to_owned();
    design.digest = HOSTILE.to_owned();
    for (_, state) in &mut tasks {
        let State::Done(outcomes) = state else {
            continue;
        };
        for attack in &mut outcomes.attacks {
            attack.attack = HOSTILE.to_owned();
        }
    }
    tasks[0].1 = failed(1, HOSTILE);
    let report = SweepReport::try_new(design, tasks, HOSTILE.to_owned()).unwrap();
    let html = report.to_html();
    assert_well_formed(&html);
    assert!(!html.contains("<script") && !html.contains("onload=\""));
}

#[test]
fn equal_sweeps_are_equal_bytes() {
    assert_eq!(sweep::grid().to_html(), sweep::grid().to_html());
    assert_eq!(sweep::grid().to_json(), sweep::grid().to_json());
}

#[test]
fn json_has_every_task_and_no_null() {
    let report = sweep::grid();
    let json = report.to_json();
    assert!(json.starts_with(
        "{\n  \"schema\": \"siloscope/sweep-report\",\n  \"schema_version\": 1,\n  \"design\": {"
    ));
    assert!(json.ends_with("}\n") && !json.contains("NaN"));
    let value: Value = serde_json::from_str(&json).unwrap();
    let tasks = value["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 270);
    let states = |state: &str| tasks.iter().filter(|task| task["state"] == state).count();
    assert_eq!(
        (states("done"), states("failed"), states("missing")),
        (265, 2, 3)
    );
    assert_eq!(tasks[4]["exit_code"], 3);
    assert_eq!(tasks[0]["levels"]["spread"]["value"], 0.0);
    assert_eq!(tasks[0]["attacks"][0]["attack"], "loss-threshold");
    assert_eq!(tasks[0]["attacks"][0]["tpr_at_fpr"][1]["fpr"], 0.001);
    assert_eq!(tasks[0]["epsilon"][1]["epsilon"], "inf");
    // 3 attacks x 2 regimes x (AUC, one TPR that could be stated, advantage), accuracy and three ε, by three factors.
    assert_eq!(
        value["effects"].as_array().unwrap().len(),
        (3 * 2 * 3 + 1 + 3) * 3
    );
    assert_eq!(value["pairs"].as_array().unwrap().len(), 3 * 3);
    assert_eq!(
        value["regressions"].as_array().unwrap().len(),
        3 * 2 * 3 + 1 + 3
    );
    let silo = &value["regressions"][21];
    assert_eq!(silo["measure"]["unit"], "silo");
    assert_eq!(silo["not-fitted"], "it is infinite in 265 of 265 tasks");
}
