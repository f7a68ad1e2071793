//! What people are told of the device that computes.

use crate::progress::Progress;
use scenarios::ScenarioFile;
use training::{Backend, TrainingConfig};

/// The device and what it is called, e.g. `cuda:0 (NVIDIA H200)`.
pub fn named(training: &TrainingConfig) -> String {
    let backend = training.backend();
    let device = training.device.here();
    match backend.device_name() {
        Some(name) => format!("{device} ({name})"),
        None => device.to_string(),
    }
}

/// Says which device computes, if it is a GPU or `auto` has chosen it.
pub fn say(file: &ScenarioFile, progress: &Progress) {
    if let Some(words) = taken(file) {
        progress.say(&words);
    }
}

fn taken(file: &ScenarioFile) -> Option<String> {
    let training = &file.scenario.training;
    match &file.taken {
        None if is_cpu(training) => None,
        None => Some(format!("device: {}", named(training))),
        Some(taken) => {
            let mut text = format!("device: {}, by auto", named(training));
            for error in &taken.passed_over {
                text.push_str("\n  not a better one: ");
                text.push_str(&error.to_string());
            }
            Some(text)
        }
    }
}

/// Whether no other device than the CPU computes.
pub fn is_cpu(training: &TrainingConfig) -> bool {
    matches!(training.backend(), Backend::Fused | Backend::Burn)
}
