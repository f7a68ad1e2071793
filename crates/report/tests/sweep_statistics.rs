//! The numbers of a sweep's report, against statsmodels and against the obvious way.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod fixture;

use fixture::people::Draws;
use fixture::sweep::{self, number, word};
use siloscope_report::SweepReport;
use siloscope_report::model::{Interval, Regime};
use siloscope_report::sweep::{Fit, Level, Measure, Over, RegressionOutcome, Scale, State, TermOf};

fn auc() -> Measure {
    Measure::Auc {
        attack: "loss-threshold".to_owned(),
        regime: Regime::Fresh,
    }
}

/// A sweep whose tasks have these AUC, in the order of points and two seeds each.
fn with_auc(factors: &[(&str, Scale)], points: &[Vec<Level>], values: &[f64]) -> SweepReport {
    let factors: Vec<_> = factors
        .iter()
        .map(|(name, scale)| sweep::factor(name, None, *scale))
        .collect();
    let (design, mut tasks) = sweep::sweep("grid", &factors, points, &[7, 8]);
    assert_eq!(tasks.len(), values.len());
    for ((_, state), value) in tasks.iter_mut().zip(values) {
        let State::Done(outcomes) = state else {
            continue;
        };
        outcomes
            .attacks
            .retain(|attack| attack.attack == "loss-threshold");
        for attack in &mut outcomes.attacks {
            attack.auc = Interval::new(*value, *value, *value);
        }
    }
    SweepReport::try_new(design, tasks, String::new()).unwrap()
}

/// Two protections by three spreads, the examples of the statistics below.
fn example() -> SweepReport {
    let mut points = Vec::new();
    for protection in ["none", "record"] {
        for members in [10.0, 100.0, 1000.0] {
            points.push(vec![word(protection), number(members)]);
        }
    }
    with_auc(
        &[("protection", Scale::Linear), ("members", Scale::Log)],
        &points,
        &Y,
    )
}

const Y: [f64; 12] = [
    0.50, 0.53, 0.63, 0.60, 0.81, 0.77, 0.49, 0.52, 0.55, 0.58, 0.60, 0.66,
];

fn fit(report: &SweepReport) -> &Fit {
    match &report.regression(&auc()).unwrap().outcome {
        RegressionOutcome::Fit(fit) => fit,
        RegressionOutcome::NotFitted(why) => panic!("{why}"),
    }
}

fn close(ours: f64, golden: f64) {
    assert!(
        (ours - golden).abs() < 1e-9 * (1.0 + golden.abs()),
        "{ours}, not {golden}"
    );
}

/// statsmodels 0.15.0: `OLS(y, [1, treated, z]).fit(cov_type="cluster", cov_kwds={"groups": point}, use_t=True)` with `z`
/// the logarithm of members over its standard deviation (`ddof=1`); p and interval from scipy 1.17.1's t with 6 points
/// less 3 coefficients degrees of freedom.
#[test]
fn the_regression_is_statsmodels() {
    let report = example();
    let fit = fit(&report);
    assert_eq!((fit.tasks, fit.points), (12, 6));
    close(fit.r_squared.get(), 0.845_747_800_586_510_2);
    for (term, golden) in fit.terms.iter().zip([
        [
            0.640_000_000_000_000_1,
            0.024_720_661_623_652_204,
            25.889_274_718_588_506,
            0.000_126_410_562_996_061_07,
            0.561_327_821_751_639_4,
            0.718_672_178_248_360_8,
        ],
        [
            -0.073_333_333_333_333_39,
            0.032_712_741_505_262_54,
            -2.241_736_093_000_220_4,
            0.110_783_070_267_384_57,
            -0.177_439_876_672_457_14,
            0.030_773_210_005_790_363,
        ],
        [
            0.085_280_286_542_244_26,
            0.019_897_887_473_948_73,
            4.285_896_513_079_456,
            0.023_343_453_775_741_25,
            0.021_956_328_067_825_16,
            0.148_604_245_016_663_36,
        ],
    ]) {
        let [estimate, error, t, p, low, high] = golden;
        close(term.estimate.get(), estimate);
        let found = term.error.unwrap();
        assert_eq!((found.degrees.get(), found.over), (3.0, Over::Points));
        close(found.standard_error.get(), error);
        close(found.t.get(), t);
        close(found.p.get(), p);
        close(found.low.get(), low);
        close(found.high.get(), high);
    }
    assert_eq!(fit.terms[0].of, TermOf::Constant);
    assert_eq!(
        fit.terms[1].of,
        TermOf::Contrast {
            factor: "protection".to_owned(),
            level: "record".to_owned(),
            against: "none".to_owned()
        }
    );
    let TermOf::Deviation {
        deviation, scale, ..
    } = &fit.terms[2].of
    else {
        panic!("members are numbers")
    };
    close(deviation.get(), 1.963_651_165_184_321_6);
    assert_eq!(*scale, Scale::Log);
}

/// statsmodels 0.15.0: `OLS(y, 1)` on the tasks at each level, clustered by point, `conf_int` with t of points less one.
#[test]
fn means_by_level_are_statsmodels() {
    let report = example();
    let effect = report.effect("protection", &auc()).unwrap();
    for (level, [mean, low, high]) in effect.levels.iter().zip([
        [
            0.640_000_000_000_000_2,
            0.294_222_664_403_859_86,
            0.985_777_335_596_140_6,
        ],
        [
            0.566_666_666_666_666_9,
            0.411_366_662_905_909_73,
            0.721_966_670_427_424,
        ],
    ]) {
        let interval = level.interval.unwrap();
        assert_eq!(
            (level.points, level.tasks, interval.over),
            (3, 6, Over::Points)
        );
        close(level.mean.get(), mean);
        close(interval.low.get(), low);
        close(interval.high.get(), high);
    }
}

/// The same sums, the obvious way: variance within over variance of all, and its adjustment.
#[test]
fn shares_of_variance_are_what_groups_leave() {
    let report = example();
    let within = |groups: &dyn Fn(usize) -> usize| {
        let mut left = 0.0;
        for group in 0..6 {
            let inside: Vec<f64> = (0..12)
                .filter(|i| groups(*i) == group)
                .map(|i| Y[i])
                .collect();
            let mean = inside.iter().sum::<f64>() / inside.len().max(1) as f64;
            left += inside.iter().map(|y| (y - mean).powi(2)).sum::<f64>();
        }
        left
    };
    let total = within(&|_| 0);
    let adjusted = |left: f64, n: f64, c: f64| (1.0 - left / total * (n - 1.0) / (n - c)).max(0.0);
    let share = |factor: &str| {
        report
            .effect(factor, &auc())
            .unwrap()
            .explained
            .unwrap()
            .get()
    };
    // Six points in two and in three groups.
    close(share("protection"), adjusted(within(&|i| i / 6), 6.0, 2.0));
    close(share("members"), adjusted(within(&|i| i / 2 % 3), 6.0, 3.0));
    // Six cells of one point each: only tasks can judge.
    let pair = report
        .pairs
        .iter()
        .find(|pair| pair.measure == auc())
        .unwrap();
    let cells = adjusted(within(&|i| i / 2), 12.0, 6.0);
    close(pair.explained.unwrap().get(), cells);
    // The sum of a term a factor, in a balanced grid: the cells' means less what is not a sum of margins.
    let mean = |indices: &dyn Fn(usize) -> bool| {
        let inside: Vec<f64> = (0..12).filter(|i| indices(*i)).map(|i| Y[i]).collect();
        inside.iter().sum::<f64>() / inside.len() as f64
    };
    let all = mean(&|_| true);
    let left: f64 = (0..12)
        .map(|i| {
            let row = mean(&|j| j / 6 == i / 6);
            let column = mean(&|j| j / 2 % 3 == i / 2 % 3);
            (Y[i] - (row + column - all)).powi(2)
        })
        .sum();
    close(
        pair.interplay.unwrap().get(),
        cells - adjusted(left, 12.0, 4.0),
    );
    close(pair.means[1][2].unwrap().get(), 0.63);
    assert_eq!(pair.rows, ["none", "record"]);
    assert_eq!(pair.columns, ["10", "100", "1000"]);
}

#[test]
fn what_cannot_be_told_apart_is_named_and_left_out() {
    let report = sweep::zip();
    let fit = fit(&report);
    let left: Vec<(&str, &str)> = fit
        .left_out
        .iter()
        .map(|left| (left.factor.as_str(), left.why.as_str()))
        .collect();
    assert_eq!(
        left,
        [
            ("model", "it has one level only among these tasks"),
            ("rounds", "these tasks cannot tell it from spread"),
        ]
    );
    assert_eq!(fit.terms.len(), 2);
    assert!(report.to_json().find("nan").is_none());
}

/// As where a protection has a budget and none has not: the budgets' levels say together that there is a protection.
#[test]
fn where_a_level_is_left_out_others_are_held_against_it() {
    let point = |protection: &str, budget: Level| vec![word(protection), budget];
    let points = [
        point("none", word("—")),
        point("record", number(4.0)),
        point("record", number(8.0)),
        point("group", number(4.0)),
        point("group", number(8.0)),
    ];
    let values = [0.7, 0.71, 0.52, 0.54, 0.6, 0.61, 0.5, 0.53, 0.57, 0.58];
    let factors = [("protection", Scale::Linear), ("budget", Scale::Log)];
    let report = with_auc(&factors, &points, &values);
    let fit = fit(&report);
    let left = &fit.left_out[0];
    assert_eq!(
        (left.factor.as_str(), left.level.as_deref()),
        ("budget", Some("8"))
    );
    let last = fit.terms.last().unwrap();
    let TermOf::Contrast { level, against, .. } = &last.of else {
        panic!("a contrast")
    };
    assert_eq!((level.as_str(), against.as_str()), ("4", "— or 8"));
    // In a balanced design it is the mean of the differences between the two budgets.
    close(
        last.estimate.get(),
        f64::midpoint(0.53 - 0.605, 0.515 - 0.575),
    );
}

#[test]
fn with_as_many_points_as_coefficients_seeds_are_counted_and_it_is_said() {
    let points: Vec<_> = ["none", "record", "group"]
        .map(|name| vec![word(name)])
        .into();
    let values = [0.7, 0.72, 0.6, 0.58, 0.55, 0.56];
    let report = with_auc(&[("protection", Scale::Linear)], &points, &values);
    let fit = fit(&report);
    let errors: Vec<_> = fit.terms.iter().map(|term| term.error.unwrap()).collect();
    assert!(errors.iter().all(|error| error.over == Over::Seeds));
    // Two seeds of `none` for the constant; as many of another level beside them for a contrast: Welch's 1 and 2.
    close(errors[0].degrees.get(), 1.0);
    close(errors[1].degrees.get(), 2.0);
    close(errors[0].standard_error.get(), 0.01);
    let effect = report.effect("protection", &auc()).unwrap();
    let interval = effect.levels[0].interval.unwrap();
    assert_eq!(interval.over, Over::Seeds);
    // numpy: 0.71 ± t(0.975, 1) · std(ddof=1) / √2 = 12.706204736174694 · 0.01.
    close(errors[0].high.get(), interval.high.get());
    close(interval.high.get(), 0.71 + 0.127_062_047_361_746_94);
}

#[test]
fn where_there_is_nothing_to_judge_by_there_is_a_reason() {
    let why = |report: &SweepReport| match &report.regression(&auc()).unwrap().outcome {
        RegressionOutcome::NotFitted(why) => why.clone(),
        RegressionOutcome::Fit(fit) => panic!("{fit:?}"),
    };
    let points: Vec<_> = [0.0, 1.0, 2.0].map(|x| vec![number(x)]).into();
    let same = with_auc(&[("f", Scale::Linear)], &points, &[0.6; 6]);
    assert_eq!(why(&same), "it is the same in all tasks");
    let line = with_auc(
        &[("f", Scale::Linear)],
        &points,
        &[0.5, 0.5, 0.6, 0.6, 0.7, 0.7],
    );
    assert_eq!(
        why(&line),
        "the factors determine it exactly, so there is no error to judge by"
    );
    let words: Vec<_> = ["a", "b"].map(|x| vec![word(x)]).into();
    let mut few = sweep::sweep(
        "grid",
        &[sweep::factor("f", None, Scale::Linear)],
        &words,
        &[7],
    );
    few.0.seeds = vec![7];
    let few = SweepReport::try_new(few.0, few.1, String::new()).unwrap();
    assert_eq!(why(&few), "2 tasks are too few for 2 coefficients");
}

/// Data sets are made with a known truth; of 200 intervals at 95 % for a slope those that miss it are within 4.9
/// deviations of 10, a false alarm in a million.
#[test]
fn intervals_of_coefficients_cover_the_truth() {
    let mut draws = Draws(99);
    let points: Vec<_> = (0..24).map(|k| vec![number(f64::from(k % 6))]).collect();
    let mut missed = 0;
    for _ in 0..200 {
        let mut values = Vec::new();
        for point in 0..24 {
            let common = 0.05 * draws.normal();
            for _ in 0..2 {
                values.push(0.5 + 0.04 * f64::from(point % 6) + common + 0.02 * draws.normal());
            }
        }
        let report = with_auc(&[("f", Scale::Linear)], &points, &values);
        let term = &fit(&report).terms[1];
        let TermOf::Deviation { deviation, .. } = &term.of else {
            panic!("a slope")
        };
        let truth = 0.04 * deviation.get();
        let error = term.error.unwrap();
        missed += usize::from(truth < error.low.get() || truth > error.high.get());
    }
    let limit = 4.9 * (200.0 * 0.05 * 0.95_f64).sqrt();
    assert!((missed as f64 - 10.0).abs() < limit, "{missed}");
}
