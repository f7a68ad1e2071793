//! What can be wrong between the keys of a scenario, before any data is read.

use crate::diagnosis::Fault;
use crate::federation::OnLostQuorum;
use crate::file::Scenario;
use crate::privacy::Protection;
use accounting::PrivacyUnit;
use attacks::View;
use primitives::Seed;
use std::collections::BTreeMap;
use training::{Batches, ClipStyle, ModelConfig};
use transport::Outages;

/// The longest name of a scenario: it becomes part of a folder's name.
const LONGEST_NAME: usize = 64;

/// The most rounds: a plan goes through all of them, and every one is attacked and kept.
const MOST_ROUNDS: u32 = 100_000;
/// The most shadow federations: each is trained like the federation itself.
const MOST_SHADOWS: u32 = 4096;
/// The widest layer. Beyond this a product of two widths is no size that a machine has.
const WIDEST: usize = 1 << 20;

/// The shortest mean time up or down: below, a run would do nothing but come and go.
const LEAST_MEAN_SECONDS: f64 = 0.001;

/// Every fault that can be seen without the data; empty if there is none.
pub(crate) fn faults(scenario: &Scenario) -> Vec<Fault> {
    let mut faults = Vec::new();
    name(scenario, &mut faults);
    data(scenario, &mut faults);
    federation(scenario, &mut faults);
    absence(scenario, &mut faults);
    network(scenario, &mut faults);
    crate::sight::faults(scenario, &mut faults);
    model(scenario, &mut faults);
    privacy(scenario, &mut faults);
    adversary(scenario, &mut faults);
    audit(scenario, &mut faults);
    gates(scenario, &mut faults);
    faults
}

fn name(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let name = &scenario.name;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(allowed) {
        let message = format!(
            "{name:?} cannot name a run folder: use 1 to {LONGEST_NAME} letters, digits, '-' and '_', e.g. \"writers-dp\""
        );
        faults.push(Fault::new("name", message));
    }
}

fn data(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let data = &scenario.data;
    if data.membership.is_none() {
        return;
    }
    for (key, given) in [
        ("population_fraction", data.population_fraction.is_some()),
        ("max_subjects", data.max_subjects.is_some()),
    ] {
        if given {
            let message = "does not go with data.membership, whose file says who takes part: list fewer subjects there, \
                           or remove one of the two keys";
            faults.push(Fault::new(format!("data.{key}"), message));
        }
    }
}

fn federation(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let federation = &scenario.federation;
    if federation.silos == 0 || federation.silos > 1 << 24 {
        let message = format!("silos = {}; allowed is 1 to 16777216", federation.silos);
        faults.push(Fault::new("federation.silos", message));
    }
    if federation.rounds == 0 || federation.rounds > MOST_ROUNDS {
        let message = format!(
            "rounds = {}; allowed is 1 to {MOST_ROUNDS}",
            federation.rounds
        );
        faults.push(Fault::new("federation.rounds", message));
    }
    if let Some(cohort) = federation
        .silos_per_round
        .filter(|&cohort| cohort == 0 || cohort > federation.silos)
    {
        let message = format!(
            "silos_per_round = {cohort} is outside 1 to {}, the federation's silos; leave it out for all of them",
            federation.silos
        );
        faults.push(Fault::new("federation.silos_per_round", message));
    }
    if let Err(error) = federation
        .strategy
        .check(scenario.privacy.protection.is_on())
    {
        faults.push(Fault::new("federation.strategy", error.to_string()));
    }
    if let Err(error) = federation.aggregator.build(federation.strategy.weights()) {
        faults.push(Fault::new("federation.aggregator", error.to_string()));
    }
    if let Err(error) = federation.partition.partitioner(federation.spread) {
        let alone = federation.partition.partitioner(None).is_err();
        let field = if alone { "partition" } else { "spread" };
        faults.push(Fault::new(format!("federation.{field}"), error.to_string()));
    }
    let noises_sum = matches!(scenario.privacy.protection, Protection::SiloNoise { .. });
    if noises_sum && federation.aggregator != server::AggregatorConfig::Mean {
        let message = "protection = \"silo-noise\" is itself an aggregator (the noised sum of clipped updates): \
                       remove `aggregator`, or choose another protection";
        faults.push(Fault::new("federation.aggregator", message));
    }
}

/// What happens when silos do not answer.
fn absence(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let federation = &scenario.federation;
    let cohort = federation.cohort_size();
    if let Some(quorum) = federation
        .quorum
        .filter(|&quorum| quorum == 0 || quorum > cohort)
    {
        let message = format!(
            "quorum = {quorum} is outside 1 to {cohort}, the silos of a round; leave it out for all of them"
        );
        faults.push(Fault::new("federation.quorum", message));
    }
    if federation
        .deadline_seconds
        .is_some_and(|deadline| deadline.is_zero())
    {
        let message = "deadline_seconds = 0: no update can come in no time; give a time above 0, or leave it out to \
                       wait for every silo";
        faults.push(Fault::new("federation.deadline_seconds", message));
    }
    let repeats = federation.on_lost_quorum == OnLostQuorum::Repeat;
    if let Some(most) = federation.max_repeats.filter(|&most| !repeats || most == 0) {
        let message = if repeats {
            "max_repeats = 0 repeats nothing: give at least 1, or on_lost_quorum = \"end\""
                .to_owned()
        } else {
            format!(
                "max_repeats = {most}, but rounds are not repeated: add on_lost_quorum = \"repeat\", or remove it"
            )
        };
        faults.push(Fault::new("federation.max_repeats", message));
    }
    let noises_sum = matches!(scenario.privacy.protection, Protection::SiloNoise { .. });
    if noises_sum && federation.max_update_norm.is_some() {
        let message = "protection = \"silo-noise\" clips every update to clip_norm, and a refusal would tell about a \
                       single update before noise is added: remove max_update_norm";
        faults.push(Fault::new("federation.max_update_norm", message));
    }
}

fn network(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let Some(network) = &scenario.network else {
        return;
    };
    let silos = scenario.federation.silos;
    let all = std::iter::once(("network.outages".to_owned(), network.outages.as_ref()));
    let single = (0..).zip(&network.silos).map(|(i, exception)| {
        let field = format!("network.silos[{i}]");
        (field, exception.outages.as_ref())
    });
    for (field, outages) in all.chain(single) {
        let Some(Outages::Random {
            mean_up_seconds,
            mean_down_seconds,
        }) = outages
        else {
            continue;
        };
        if [mean_up_seconds, mean_down_seconds]
            .into_iter()
            .any(|&mean| f64::from(mean) < LEAST_MEAN_SECONDS)
        {
            let message = format!(
                "mean_up_seconds and mean_down_seconds must be at least {LEAST_MEAN_SECONDS} each"
            );
            faults.push(Fault::new(&field, message));
        }
        if scenario.federation.deadline_seconds.is_none() {
            let message = "silos that come and go at random may never be there for as long as a round takes: add \
                           federation.deadline_seconds";
            faults.push(Fault::new(&field, message));
        }
    }
    for (i, exception) in network.silos.iter().enumerate() {
        let field = format!("network.silos[{i}]");
        if exception.silo.0 >= silos {
            let message = format!(
                "silo = {} is outside 0 to {}, the federation's silos",
                exception.silo.0,
                silos.saturating_sub(1)
            );
            faults.push(Fault::new(field, message));
        } else if network.silos[..i]
            .iter()
            .any(|other| other.silo == exception.silo)
        {
            let message = format!(
                "{} is listed twice: write what differs for it into one table",
                exception.silo
            );
            faults.push(Fault::new(field, message));
        }
    }
}

fn model(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let ModelConfig::Mlp { hidden } = &scenario.model else {
        return;
    };
    if let Some(width) = hidden.iter().find(|&&width| width == 0 || width > WIDEST) {
        let message =
            format!("hidden has a layer of {width}; allowed is 1 to {WIDEST}, e.g. hidden = [64]");
        faults.push(Fault::new("model.hidden", message));
    }
}

fn privacy(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let protection = scenario.privacy.protection;
    if protection.is_local() && matches!(scenario.training.batches, Batches::Shuffled(_)) {
        let message = format!(
            "batch_size draws shuffled batches, and no accountant covers them under protection = \"{}\"; give \
             sampling_rate instead: the chance that a unit joins a step, e.g. batch 64 of 6400 is 0.01",
            protection.name()
        );
        faults.push(Fault::new("training.batch_size", message));
    }
    if scenario.privacy.adaptive_clip.is_some() && scenario.training.clipping != ClipStyle::Flat {
        let message = "a clip norm that adapts counts whole gradients within it, which takes clipping = \"flat\": \
                       remove `clipping`, or give clip_norm as a number";
        faults.push(Fault::new("training.clipping", message));
    }
    if scenario.privacy.adaptive_clip.is_some()
        && scenario.federation.server_sees != crate::sight::ServerSees::Updates
    {
        let message = "clip_norm adapts from each silo's own noised counts, and server_sees = \"sum\" hides what silos \
                       say: give clip_norm as a number, or server_sees = \"updates\"";
        faults.push(Fault::new("privacy.clip_norm", message));
    }
    let Some(budget) = scenario.privacy.budget() else {
        if protection.is_on() && scenario.privacy.delta().get() <= 0.0 {
            let message = "delta = 0: Gaussian noise promises nothing at δ = 0; give a number well below 1 over the \
                           number of subjects, e.g. 1e-5";
            faults.push(Fault::new("privacy.delta", message));
        }
        return;
    };
    let field = "privacy.budget";
    if !budget.epsilon.get().is_finite() || budget.epsilon.get() <= 0.0 {
        let message = format!(
            "epsilon = {} is no budget: allowed is a finite number above 0, e.g. 8.0",
            budget.epsilon
        );
        faults.push(Fault::new(field, message));
    }
    if budget.delta.get() <= 0.0 || budget.delta.get() >= 1.0 {
        let message = format!(
            "delta = {} is no budget: allowed is a number between 0 and 1, well below 1 over the number of subjects, e.g. 1e-5",
            budget.delta
        );
        faults.push(Fault::new(field, message));
    }
    if budget.unit == PrivacyUnit::Silo && protection.is_local() {
        let message = format!(
            "no noise can keep a silo within epsilon {} under protection = \"{}\", which bounds records and \
             subjects, not whole silos; use protection = \"silo-noise\" or \"distributed-noise\", or a budget for unit = \"subject\"",
            budget.epsilon,
            protection.name()
        );
        faults.push(Fault::new(field, message));
    }
}

fn adversary(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let (view, shadows) = (scenario.adversary.view, scenario.adversary.shadows);
    if !shadows.is_multiple_of(2) || shadows > MOST_SHADOWS {
        let message = format!(
            "shadows = {shadows}; allowed is an even number up to {MOST_SHADOWS}, for shadow federations come in \
             pairs, e.g. 16"
        );
        faults.push(Fault::new("adversary.shadows", message));
    }
    if scenario.checkpoints.is_some() {
        let elsewhere = "models that were trained elsewhere";
        if shadows > 0 {
            let message = format!(
                "shadows = {shadows} would be trained like the federation, and how {elsewhere} came about is not \
                 known; leave shadows, lira and rmia out"
            );
            faults.push(Fault::new("adversary.shadows", message));
        }
        if view == View::SiloUpdates {
            let message = format!(
                "view = \"silo-updates\" needs what every silo sent, and of {elsewhere} there are checkpoints only; use \
                 \"every-round\""
            );
            faults.push(Fault::new("adversary.view", message));
        }
    }
    // Figures of two attacks under one name could not be told apart.
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for (i, config) in scenario.attacks.iter().enumerate() {
        let field = format!("attacks[{i}]");
        let attacks = config.attacks(Seed::from_number(scenario.seed));
        // One table may stand for several attacks; it has one fault all the same.
        let refused = attacks.iter().find_map(|attack| {
            let needs = attack.needs();
            let (known, cohort) = (scenario.adversary.known_subjects, scenario.federation.cohort_size());
            let (field, given, needed) = if needs.view > view {
                ("adversary.view", view.to_string(), format!("{:?}", needs.view.to_string()))
            } else if needs.shadow_runs > shadows as usize {
                let needed = format!("at least {}, better 16", needs.shadow_runs);
                ("adversary.shadows", shadows.to_string(), needed)
            } else if needs.known_each > known {
                let needed = format!("at least {}", needs.known_each);
                ("adversary.known_subjects", known.to_string(), needed)
            } else if needs.silos > cohort {
                let needed = format!("at least {}", needs.silos);
                ("federation.silos_per_round", cohort.to_string(), needed)
            } else {
                return None;
            };
            Some(format!(
                "attack {} needs {field} = {needed}, and {field} is {given}: change it or leave the attack out",
                attack.name()
            ))
        });
        if let Some(message) = refused {
            faults.push(Fault::new(&field, message));
        }
        let names: Vec<String> = attacks.iter().map(|attack| attack.name()).collect();
        let twice = names
            .iter()
            .find_map(|name| Some((name, named.get(name).copied()?)));
        if let Some((name, first)) = twice {
            let message = format!(
                "attack {name} is listed twice, as attacks[{first}] too: remove one, or give it other settings"
            );
            faults.push(Fault::new(&field, message));
        }
        for name in names {
            named.entry(name).or_insert(i);
        }
    }
    if view == View::SiloUpdates && scenario.attacks.is_empty() {
        let message = "the adversary's view is set, but there is no attack; add an [[attacks]] table, e.g. kind = \"loss-threshold\"";
        faults.push(Fault::new("adversary.view", message));
    }
}

fn audit(scenario: &Scenario, faults: &mut Vec<Fault>) {
    if let Some(message) = unreadable(scenario).filter(|_| scenario.audit.is_some()) {
        let message = format!("{message}; or remove the [audit] table");
        faults.push(Fault::new("audit", message));
    }
}

/// Why nobody could read crafted canaries off a scenario's noised sums, and what to do.
pub(crate) fn unreadable(scenario: &Scenario) -> Option<&'static str> {
    match scenario.privacy.protection {
        Protection::None => Some(
            "protection = \"none\" promises nothing, so there is nothing that an audit could refute: choose a protection",
        ),
        Protection::DistributedNoise { .. } => Some(
            "protection = \"distributed-noise\" adds its noise in shares to sums that nobody may look into, so there is \
             nothing that an auditor could read: audit the same scenario with \"silo-noise\"",
        ),
        _ => None,
    }
}

fn gates(scenario: &Scenario, faults: &mut Vec<Fault>) {
    for (field, limit, allowed) in scenario.gates.set() {
        if !allowed.contains(&limit) {
            let name = field.trim_start_matches("gates.");
            let message = if *allowed.end() < f64::MAX {
                format!(
                    "{name} = {limit} is outside {} to {}",
                    allowed.start(),
                    allowed.end()
                )
            } else {
                format!(
                    "{name} = {limit} is no limit: allowed is a finite number of at least 0, e.g. 8.0"
                )
            };
            faults.push(Fault::new(field, message));
        }
    }
    if scenario.gates.max_subject_auc.is_some() && scenario.attacks.is_empty() {
        let message = "limits the AUC of attacks, but there is none: add an [[attacks]] table, e.g. kind = \"loss-threshold\"";
        faults.push(Fault::new("gates.max_subject_auc", message));
    }
}
