//! What MLflow keeps of a run: parameters, metrics, tags.

use report::{RunReport, Series};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The longest value of a parameter that MLflow keeps.
const LONGEST_VALUE: usize = 6000;

/// A plan's scenario, key by key, as in `--set`: `training.learning_rate`, `attacks.0.kind`; and what was decided from it.
pub fn params(plan: &Value) -> BTreeMap<String, String> {
    let mut params = BTreeMap::new();
    flatten(String::new(), &plan["scenario"], &mut params);
    for decided in ["noise_multiplier", "parameters"] {
        flatten(format!("plan.{decided}"), &plan[decided], &mut params);
    }
    params
}

/// Tables become keys with a dot, lists of tables keys with a number, other lists their JSON; null is nothing.
fn flatten(key: String, value: &Value, params: &mut BTreeMap<String, String>) {
    let below = |part: &str| {
        if key.is_empty() {
            part.to_owned()
        } else {
            format!("{key}.{part}")
        }
    };
    match value {
        Value::Null => {}
        Value::Object(table) => {
            for (part, value) in table {
                flatten(below(part), value, params);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (i, value) in list.iter().enumerate() {
                flatten(below(&i.to_string()), value, params);
            }
        }
        Value::String(text) => {
            params.insert(key, text.chars().take(LONGEST_VALUE).collect());
        }
        other => {
            let text = other.to_string().chars().take(LONGEST_VALUE).collect();
            params.insert(key, text);
        }
    }
}

/// Every number of every series, with its round as step. Infinity is written in the words of JSON's protocol buffers.
pub fn metrics(series: &[Series], began_ms: i64, clock: &BTreeMap<u32, f64>) -> Vec<Value> {
    let metric = |series: &Series, (round, number): (u32, f64)| {
        let seconds = clock.get(&round).copied().unwrap_or(f64::from(round));
        let value = match number {
            f64::INFINITY => json!("Infinity"),
            f64::NEG_INFINITY => json!("-Infinity"),
            number if number.is_nan() => json!("NaN"),
            number => json!(number),
        };
        json!({
            "key": series.name,
            "value": value,
            "timestamp": began_ms + (seconds * 1000.0).round() as i64,
            "step": round,
        })
    };
    let of_series = |series: &Series| {
        let points = series.points.iter();
        points
            .map(|&(round, number)| metric(series, (round, number.get())))
            .collect::<Vec<_>>()
    };
    series.iter().flat_map(of_series).collect()
}

/// What the run is called, whose it is, and how it came out.
pub fn tags(report: &RunReport, plan: &str, exit: u8) -> BTreeMap<&'static str, String> {
    let ending = serde_json::to_value(report.ending.how).unwrap_or_default();
    let identity = &report.identity;
    BTreeMap::from([
        (super::PLAN_TAG, plan.to_owned()),
        ("siloscope.scenario", identity.name.clone()),
        ("siloscope.version", identity.siloscope_version.clone()),
        (
            "siloscope.ending",
            ending.as_str().unwrap_or_default().to_owned(),
        ),
        ("siloscope.exit_code", exit.to_string()),
        ("mlflow.note.content", identity.description.clone()),
        ("mlflow.source.name", identity.command.clone()),
        ("mlflow.source.type", "LOCAL".to_owned()),
    ])
}

/// What MLflow takes for a list of keys and values.
pub fn pairs<K: AsRef<str>>(all: &BTreeMap<K, String>) -> Vec<Value> {
    let pair = |(key, value): (&K, &String)| json!({ "key": key.as_ref(), "value": value });
    all.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::Rounding;

    #[test]
    fn a_scenario_is_flattened_to_keys_as_set_takes_them() {
        let plan = json!({
            "noise_multiplier": 1.25,
            "parameters": 21,
            "siloscope": "0.1.0",
            "scenario": {
                "name": "case",
                "data": { "source": { "synthetic": { "subjects": 60 } }, "max_subjects": null },
                "attacks": [{ "kind": "loss-threshold" }, { "kind": "rmia", "gamma": 2.0 }],
                "network": { "outages": { "seconds": [[1, 2], [3, 4]] } },
                "gates": {},
                "long": "x".repeat(7000),
            },
        });
        let mut params = params(&plan);
        assert_eq!(params.remove("long").unwrap().len(), 6000);
        let expected = [
            ("attacks.0.kind", "loss-threshold"),
            ("attacks.1.gamma", "2.0"),
            ("attacks.1.kind", "rmia"),
            ("data.source.synthetic.subjects", "60"),
            ("name", "case"),
            ("network.outages.seconds", "[[1,2],[3,4]]"),
            ("plan.noise_multiplier", "1.25"),
            ("plan.parameters", "21"),
        ];
        let found: Vec<(&str, &str)> = params
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn metrics_have_rounds_for_steps_and_words_for_infinity() {
        let series = Series {
            name: "epsilon/silo".to_owned(),
            what: String::new(),
            rounding: Rounding::Up,
            points: vec![(0, 0.5.into()), (3, f64::INFINITY.into())],
        };
        let clock = BTreeMap::from([(0, 0.0), (3, 1.5)]);
        let expected = vec![
            json!({ "key": "epsilon/silo", "value": 0.5, "timestamp": 1000, "step": 0 }),
            json!({ "key": "epsilon/silo", "value": "Infinity", "timestamp": 2500, "step": 3 }),
        ];
        assert_eq!(metrics(&[series], 1000, &clock), expected);
    }
}
