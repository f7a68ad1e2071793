//! The loss of a record: cross-entropy of the softmax for a class, squared error for a number.
//!
//! The squared error is `(f − y)²`, not half of it, so that its mean is the mean squared error; PyTorch's `MSELoss`
//! is the same.

use crate::RecordScore;
use data::Label;
use kernels::exp;

/// Writes the gradient of `weight · loss` by the outputs; gives the loss.
pub(crate) fn gradient(outputs: &[f32], label: Label, weight: f32, gradient: &mut [f32]) -> f64 {
    match label {
        Label::Class(class) => cross_entropy(outputs, class, weight, gradient),
        Label::Target(target) => squared_error(outputs, target, weight, gradient),
    }
}

/// What the outputs say about a record.
pub(crate) fn score(outputs: &[f32], label: Label) -> RecordScore {
    match label {
        Label::Class(class) => score_of_class(outputs, class),
        Label::Target(target) => score_of_number(outputs, target),
    }
}

/// `(f − y)²`, and its gradient `2 (f − y)`.
fn squared_error(outputs: &[f32], target: f32, weight: f32, gradient: &mut [f32]) -> f64 {
    let error = outputs[0] - target;
    gradient[0] = 2.0 * weight * error;
    f64::from(error).powi(2)
}

fn score_of_number(outputs: &[f32], target: f32) -> RecordScore {
    RecordScore::of_squared_error((outputs[0] - target).powi(2))
}

/// `−ln softmax(logits)[label]` and its gradient.
fn cross_entropy(logits: &[f32], label: u32, weight: f32, gradient: &mut [f32]) -> f64 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for (out, &logit) in gradient.iter_mut().zip(logits) {
        *out = exp(logit - top);
        total += *out;
    }
    let scale = weight / total;
    for out in gradient.iter_mut() {
        *out *= scale;
    }
    gradient[label as usize] -= weight;
    f64::from(top - logits[label as usize]) + f64::from(total).ln()
}

fn score_of_class(logits: &[f32], label: u32) -> RecordScore {
    let label = label as usize;
    let log_sum = |skipped: Option<usize>| {
        let kept = || {
            logits
                .iter()
                .enumerate()
                .filter(|(class, _)| Some(*class) != skipped)
        };
        let top = kept().fold(f32::NEG_INFINITY, |top, (_, &logit)| top.max(logit));
        top + kept()
            .map(|(_, &logit)| (logit - top).exp())
            .sum::<f32>()
            .ln()
    };
    let best = logits
        .iter()
        .enumerate()
        .rev()
        .max_by(|a, b| a.1.total_cmp(b.1));
    RecordScore {
        loss: log_sum(None) - logits[label],
        margin: logits[label] - log_sum(Some(label)),
        correct: Some(best.is_some_and(|(class, _)| class == label)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_margin_and_gradient_agree_with_the_definition() {
        let logits = [1.0_f32, -2.0, 0.5];
        let p: Vec<f64> = {
            let e = logits.map(|z| f64::from(z).exp());
            e.iter().map(|v| v / e.iter().sum::<f64>()).collect()
        };
        for label in 0..3 {
            let truth = p[label as usize];
            let score = score(&logits, Label::Class(label));
            assert!((f64::from(score.loss) + truth.ln()).abs() < 1e-6);
            assert!((f64::from(score.margin) - (truth / (1.0 - truth)).ln()).abs() < 1e-6);
            assert_eq!(score.correct, Some(label == 0));
            let mut by_logits = [0.0; 3];
            let loss = gradient(&logits, Label::Class(label), 0.5, &mut by_logits);
            assert!((loss + truth.ln()).abs() < 1e-6);
            for class in 0..3 {
                let expected = 0.5 * (p[class] - f64::from(class == label as usize));
                assert!((f64::from(by_logits[class]) - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_record_that_is_beyond_doubt_scores_finite_numbers() {
        let sure = score(&[1000.0, -1000.0], Label::Class(0));
        assert_eq!(
            (sure.loss, sure.margin, sure.correct),
            (0.0, 2000.0, Some(true))
        );
        let wrong = score(&[1000.0, -1000.0], Label::Class(1));
        assert_eq!(
            (wrong.loss, wrong.margin, wrong.correct),
            (2000.0, -2000.0, Some(false))
        );
    }

    /// By hand: f = 1.5, y = −0.5, so (f − y)² = 4, its derivative 2 · 2 = 4, times the weight 0.25 is 1; ∛4 by numpy 2.3
    /// (`numpy.cbrt`).
    #[test]
    fn the_loss_of_a_number_is_its_squared_error() {
        let mut by_output = [0.0];
        let loss = gradient(&[1.5], Label::Target(-0.5), 0.25, &mut by_output);
        assert_eq!((loss, by_output[0]), (4.0, 1.0));
        let score = score(&[1.5], Label::Target(-0.5));
        assert_eq!((score.loss, score.correct), (4.0, None));
        assert!((score.margin + 1.587_401).abs() < 1e-6);
        // The derivative is the slope of the loss.
        let at = |f: f64| (f - 0.3).powi(2);
        let slope = (at(1.5 + 1e-6) - at(1.5 - 1e-6)) / 2e-6;
        gradient(&[1.5], Label::Target(0.3), 1.0, &mut by_output);
        assert!((f64::from(by_output[0]) - slope).abs() < 1e-6);
    }
}
