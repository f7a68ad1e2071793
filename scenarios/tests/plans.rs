//! What is written is what is read: scenarios and plans survive their files, and equal scenarios have equal plans.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

use accounting::Mechanism;
use secure_sum::{SumCode, SumPlan};
use siloscope_scenarios::{Noise, Plan, Resolved, ScenarioFile, entries};
use std::path::Path;
use training::{Backend, Device};

fn smoke(settings: &[&str]) -> ScenarioFile {
    let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
    ScenarioFile::open("smoke", &settings).unwrap()
}

fn plan(settings: &[&str]) -> Plan {
    Resolved::new(smoke(settings)).unwrap().plan
}

#[test]
fn a_scenario_survives_being_written_with_its_defaults() {
    for entry in entries() {
        let read = ScenarioFile::open(entry.name, &[]).unwrap();
        let written = toml::to_string(&read.scenario).unwrap();
        let again = ScenarioFile::parse(Path::new("again.toml"), Path::new("."), &written, &[]);
        assert_eq!(again.unwrap().scenario, read.scenario, "{}", entry.name);
    }
}

#[test]
fn a_plan_survives_its_file_and_has_its_digest_from_it() {
    let made = plan(&[]);
    let read: Plan = serde_json::from_str(&made.to_json()).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.digest(), made.digest());
    assert_eq!(plan(&[]).digest(), made.digest());
    assert_ne!(plan(&["seed=8"]).digest(), made.digest());
}

#[test]
fn a_text_that_has_all_settings_written_in_gives_the_same_plan() {
    let set = smoke(&["federation.rounds=5", "privacy.clip_norm=0.5"]);
    let read = ScenarioFile::parse(Path::new("smoke"), Path::new("."), &set.text, &[]).unwrap();
    assert_eq!(read.scenario, set.scenario);
    assert_eq!(read.scenario.federation.rounds, 5);
}

#[test]
fn a_plan_names_the_device_that_is_not_the_cpu() {
    let cpu = plan(&[]);
    assert!(!cpu.to_json().contains("device"));
    assert_eq!(plan(&["training.device=cpu"]).digest(), cpu.digest());

    // Computed on a CPU, whatever this machine has: the plan stays the GPU's.
    let file = smoke(&["training.device=cuda"]);
    let elsewhere = Resolved::computed_on(file, Device::Cpu).unwrap();
    assert!(elsewhere.plan.to_json().contains("\"device\": \"cuda:0\""));
    assert_ne!(elsewhere.plan.digest(), cpu.digest());
    assert_eq!(elsewhere.plan.scenario.training.device, Device::Cuda(0));
    assert_eq!(elsewhere.file.scenario.training.backend(), Backend::Fused);

    let auto = smoke(&["training.device=auto"]);
    let taken = auto.taken.clone().unwrap().device;
    assert_eq!(auto.scenario.training.device, taken);
    assert_ne!(taken, Device::Auto);
}

#[test]
fn more_rounds_and_smaller_budgets_need_more_noise() {
    let noise = |settings: &[&str]| plan(settings).noise_multiplier.unwrap().get();
    let base = noise(&[]);
    assert!(noise(&["federation.rounds=6"]) > base);
    assert!(noise(&["privacy.budget.epsilon=5.0"]) > base);
    assert!(noise(&["training.sampling_rate=0.01"]) < base);
}

#[test]
fn noise_beside_a_budget_is_as_given() {
    let file = smoke(&["privacy.noise_multiplier=0.75"]);
    let privacy = file.scenario.privacy;
    assert!(matches!(privacy.noise, Some(Noise::Capped { .. })));
    assert_eq!(privacy.budget(), smoke(&[]).scenario.privacy.budget());
    let written = toml::to_string(&file.scenario).unwrap();
    let again = ScenarioFile::parse(Path::new("x.toml"), Path::new("."), &written, &[]).unwrap();
    assert_eq!(again.scenario.privacy, privacy);
    let noise = Resolved::new(file).unwrap().plan.noise_multiplier.unwrap();
    assert!((noise.get() - 0.75).abs() < f64::EPSILON);
}

#[test]
fn faults_of_a_changed_scenario_name_no_line_that_no_file_has() {
    let settings = ["federation.rounds=0".to_owned()];
    let error = ScenarioFile::open("smoke", &settings).unwrap_err();
    assert_eq!(error.faults.len(), 1);
    assert_eq!(error.faults[0].field, "federation.rounds");
    assert_eq!(error.faults[0].line, None);
}

#[test]
fn all_faults_are_told_at_once() {
    let text = smoke(&[])
        .text
        .replace("rounds = 3", "rounds = 0")
        .replace("silos = 4", "silos = 0");
    let error = ScenarioFile::parse(Path::new("two.toml"), Path::new("."), &text, &[]).unwrap_err();
    let fields: Vec<&str> = error
        .faults
        .iter()
        .map(|fault| fault.field.as_str())
        .collect();
    assert_eq!(fields, ["federation.silos", "federation.rounds"]);
    assert!(error.faults.iter().all(|fault| fault.line.is_some()));
    assert_eq!(error.to_string().lines().count(), 2);
}

/// The settings of a scenario whose coordinator sees sums, with more of them.
fn sums<'a>(protection: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut settings = vec!["federation.server_sees=sum", protection];
    settings.extend(more);
    settings
}

const SILO_NOISE: &str = "privacy.protection=silo-noise";
const DISTRIBUTED: &str = "privacy.protection=distributed-noise";
const LOCAL: &str = "privacy.protection=averaged-gradient";

#[test]
fn distributed_noise_is_found_for_a_budget_as_silo_noise_is() {
    let central = plan(&[SILO_NOISE]);
    let distributed = Resolved::new(smoke(&sums(DISTRIBUTED, &[]))).unwrap();
    assert_eq!(distributed.plan.noise_multiplier, central.noise_multiplier);
    let Some(SumPlan {
        code: SumCode::Noised(noise),
        cohort: 4,
        threshold: Some(3),
    }) = distributed.sums
    else {
        panic!("{:?}", distributed.sums)
    };
    // What the silos add is what the ledger is told, of as many silos as must answer.
    let z = central.noise_multiplier.unwrap().get();
    let deviation = (f64::from(noise.shares()) * noise.variance() as f64).sqrt();
    assert_eq!(noise.shares(), 4);
    assert!(deviation >= z * noise.bound() as f64);
    assert!(deviation <= z * noise.bound() as f64 * 1.0001);
    let mechanism = distributed.schedule.central.unwrap();
    assert!(matches!(mechanism, Mechanism::DistributedNoise { shares, .. } if shares.get() == 4));
    assert!(distributed.schedule.releases().values().all(Vec::is_empty));
}

#[test]
fn what_the_coordinator_sees_goes_with_the_rest_or_is_refused_by_key() {
    let cases: &[(&str, &[&str], &str)] = &[
        (SILO_NOISE, &[], "federation.server_sees"),
        (
            LOCAL,
            &["federation.aggregator.kind=median"],
            "federation.aggregator",
        ),
        (
            LOCAL,
            &["federation.compression=fp16"],
            "federation.compression",
        ),
        (LOCAL, &["adversary.view=silo-updates"], "adversary.view"),
        (
            LOCAL,
            &[
                "federation.secure_aggregation.kind=masked",
                "federation.secure_aggregation.threshold=2",
            ],
            "federation.secure_aggregation",
        ),
        (
            LOCAL,
            &[
                "federation.secure_aggregation.kind=masked",
                "federation.secure_aggregation.threshold=5",
            ],
            "federation.secure_aggregation",
        ),
        (
            LOCAL,
            &[
                "federation.secure_aggregation.kind=trusted",
                "federation.secure_aggregation.range=0.0",
            ],
            "federation.secure_aggregation",
        ),
        (
            DISTRIBUTED,
            &[
                "federation.secure_aggregation.kind=trusted",
                "federation.secure_aggregation.range=1.0",
            ],
            "federation.secure_aggregation",
        ),
        (
            LOCAL,
            &["federation.silos_per_round=1"],
            "federation.secure_aggregation",
        ),
        (
            LOCAL,
            &[
                "federation.server_sees=updates",
                "federation.secure_aggregation.kind=masked",
            ],
            "federation.secure_aggregation",
        ),
        (
            DISTRIBUTED,
            &["federation.server_sees=updates"],
            "federation.server_sees",
        ),
    ];
    for (protection, more, field) in cases {
        let settings = sums(protection, more);
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let error = ScenarioFile::open("smoke", &settings).unwrap_err();
        let fields: Vec<&str> = error
            .faults
            .iter()
            .map(|fault| fault.field.as_str())
            .collect();
        assert_eq!(fields, [*field], "{more:?}: {error}");
    }
    let masked = smoke(&sums(
        LOCAL,
        &[
            "federation.secure_aggregation.kind=masked",
            "federation.secure_aggregation.threshold=4",
        ],
    ));
    let sums = Resolved::new(masked).unwrap().sums.unwrap();
    assert!(matches!(sums.code, SumCode::Plain(_)));
    assert_eq!(sums.threshold, Some(4));
}

/// Noise that leaves no room for updates in 32 bits is refused when it is known, wherever it comes from.
#[test]
fn more_noise_than_a_sum_carries_is_refused() {
    let loud = ["privacy.noise_multiplier=1e8", "privacy.budget.unit=silo"];
    let error = Resolved::new(smoke(&sums(DISTRIBUTED, &loud))).unwrap_err();
    assert_eq!(error.faults[0].field, "privacy.noise_multiplier");
    assert!(error.to_string().contains("leaves no room"), "{error}");
}
