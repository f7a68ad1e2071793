//! Who might look, and whether the promise holds against them.

use attacks::View;
use report::model::Observer;
use scenarios::{Protection, Scenario, SecureAggregation, ServerSees};

/// Everybody who sees something of a run.
pub(super) fn observers(scenario: &Scenario) -> Vec<Observer> {
    let protection = scenario.privacy.protection;
    let released = released(protection);
    let seen = |view| Some(view <= scenario.adversary.view);
    let observer =
        |who: &str, sees: &str, covered: bool, why: &str, attacked: Option<bool>| Observer {
            who: who.to_owned(),
            sees: sees.to_owned(),
            covered,
            why: why.to_owned(),
            attacked: attacked.unwrap_or(false),
        };
    let mut observers = vec![observer(
        "anyone who gets the final model",
        "the last model",
        protection.is_on(),
        released,
        seen(View::FinalModel),
    )];
    observers.push(match protection {
        Protection::DistributedNoise { .. } => {
            let shares = scenario.federation.fewest_updates();
            let left = (f64::from(shares - 1) / f64::from(shares)).sqrt();
            observer(
                "a curious silo",
                "the model of every round, and its own share of the noise",
                false,
                &format!(
                    "it can take its own share of the noise off the sum: {left:.3} of the noise multiplier is left against it, and the ε above counts all of it"
                ),
                seen(View::EveryRound),
            )
        }
        _ => observer(
            "a curious silo",
            "the model of every round",
            protection.is_on(),
            released,
            seen(View::EveryRound),
        ),
    });
    match scenario.federation.server_sees {
        ServerSees::Updates => observers.push(observer(
            "the coordinator",
            "the model of every round and every silo's update",
            protection.is_local(),
            match protection {
                Protection::SiloNoise { .. } => {
                    "the coordinator sees every update before it adds the noise"
                }
                _ => released,
            },
            seen(View::SiloUpdates),
        )),
        ServerSees::Sum => {
            observers.push(observer(
                "the coordinator",
                "the model of every round and the sum of its updates",
                protection.is_on(),
                released,
                seen(View::EveryRound),
            ));
            let how = scenario.federation.secure_aggregation.unwrap_or_default();
            let (who, sees, why) = behind(how, scenario.federation.cohort_size());
            let local = protection.is_local();
            let why = if local { released.to_owned() } else { why };
            observers.push(observer(who, sees, local, &why, None));
        }
    }
    observers.push(observer(
        "a silo, about its own records",
        "its records and everything it does with them",
        false,
        "the data are its own; no mechanism here hides them from it",
        None,
    ));
    observers
}

/// Why what is released is protected.
const fn released(protection: Protection) -> &'static str {
    match protection {
        Protection::None => "nothing is protected, so nothing is promised",
        Protection::SiloNoise { .. } => {
            "noise is added by the coordinator, before the model goes out"
        }
        Protection::DistributedNoise { .. } => {
            "every silo adds its share of the noise before its update leaves it, and only the sum is seen"
        }
        _ => "noise is added in the silo, before anything leaves it",
    }
}

/// Who could see a single update where sums are seen.
fn behind(how: SecureAggregation, cohort: u32) -> (&'static str, &'static str, String) {
    match how.threshold(cohort) {
        Some(threshold) => (
            "a coordinator that breaks the protocol, or has enough silos on its side",
            "single updates, if it shows silos forged keys of others",
            format!(
                "masks hide an update from a coordinator that follows the protocol and from up to {} silos with it; nothing certifies the silos' keys to each other",
                2 * threshold - cohort - 1
            ),
        ),
        None => (
            "the trusted party that adds up",
            "every silo's update",
            "it is trusted to show nothing but the sum".to_owned(),
        ),
    }
}
