//! The loss: cross-entropy of the softmax.

use crate::RecordScore;
use kernels::exp;

/// Writes the gradient of `weight · loss` by the logits; gives the loss, `−ln softmax(logits)[label]`.
pub(crate) fn gradient(logits: &[f32], label: u32, weight: f32, gradient: &mut [f32]) -> f64 {
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

/// What the logits say about a record of class `label`.
pub(crate) fn score(logits: &[f32], label: u32) -> RecordScore {
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
        correct: best.is_some_and(|(class, _)| class == label),
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
            let score = score(&logits, label);
            assert!((f64::from(score.loss) + truth.ln()).abs() < 1e-6);
            assert!((f64::from(score.margin) - (truth / (1.0 - truth)).ln()).abs() < 1e-6);
            assert_eq!(score.correct, label == 0);
            let mut by_logits = [0.0; 3];
            let loss = gradient(&logits, label, 0.5, &mut by_logits);
            assert!((loss + truth.ln()).abs() < 1e-6);
            for class in 0..3 {
                let expected = 0.5 * (p[class] - f64::from(class == label as usize));
                assert!((f64::from(by_logits[class]) - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_record_that_is_beyond_doubt_scores_finite_numbers() {
        let sure = score(&[1000.0, -1000.0], 0);
        assert_eq!((sure.loss, sure.margin, sure.correct), (0.0, 2000.0, true));
        let wrong = score(&[1000.0, -1000.0], 1);
        assert_eq!(
            (wrong.loss, wrong.margin, wrong.correct),
            (2000.0, -2000.0, false)
        );
    }
}
