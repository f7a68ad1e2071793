//! What records say about a subject without any model: numbers for a classifier that never sees one.

use crate::{Dataset, Features, LabelSlice, Moments, SubjectIndex};
use primitives::SubjectId;
use std::collections::BTreeMap;

/// The most means of a record's features; more features than that are averaged with their neighbours first.
const MOST_MEANS: usize = 64;
/// The most features, classes or characters that are each described by themselves.
const MOST_SINGLE: usize = 100;

/// Plain features of every subject of `index`, from its records there alone. All have the same length.
///
/// Means of the features, averaged in up to 64 runs of neighbours (of text: shares of its characters); their deviations
/// between the subject's records if there are at most 64 features; the share of each class, if there are at most 100, or
/// the targets' mean and deviation; how many records there are. Nothing here depends on who is a member.
pub fn plain_features(dataset: &Dataset, index: &SubjectIndex) -> BTreeMap<SubjectId, Vec<f64>> {
    let plain = Plain::of(dataset);
    index
        .subjects()
        .map(|subject| (subject, plain.subject(dataset, index, subject)))
        .collect()
}

/// How a data set's records are described.
struct Plain {
    /// Characters of the vocabulary that are counted, if records are text.
    characters: Option<usize>,
    /// Neighbours that are averaged.
    run: usize,
    /// Classes whose shares are given; none if there are too many.
    classes: usize,
}

impl Plain {
    fn of(dataset: &Dataset) -> Self {
        let text = matches!(dataset.features(), Features::Tokens(_));
        let classes = dataset.classes().len();
        Self {
            // The class of a window is its next character: classes and vocabulary are the same.
            characters: text.then_some(classes.min(MOST_SINGLE)),
            run: dataset.width().div_ceil(MOST_MEANS),
            classes: if classes <= MOST_SINGLE { classes } else { 0 },
        }
    }

    /// The numbers of one record whose means over a subject's records are taken.
    fn record(&self, features: &[f32]) -> Vec<f64> {
        if let Some(characters) = self.characters {
            let mut shares = vec![0.0; characters];
            for &token in features {
                if let Some(share) = shares.get_mut(token as usize) {
                    *share += 1.0 / features.len() as f64;
                }
            }
            return shares;
        }
        let mean = |run: &[f32]| run.iter().copied().map(f64::from).sum::<f64>() / run.len() as f64;
        features.chunks(self.run).map(mean).collect()
    }

    fn subject(&self, dataset: &Dataset, index: &SubjectIndex, subject: SubjectId) -> Vec<f64> {
        let records = index.records(subject);
        let count = records.len() as f64;
        let mut buffer = vec![0.0; dataset.width()];
        let rows: Vec<Vec<f64>> = records
            .iter()
            .map(|&record| {
                dataset.copy_features(record, &mut buffer);
                self.record(&buffer)
            })
            .collect();
        let column = |j: usize| rows.iter().map(move |row| row[j]);
        let width = rows.first().map_or(0, Vec::len);
        let means: Vec<f64> = (0..width).map(|j| column(j).sum::<f64>() / count).collect();
        let mut plain = means.clone();
        if self.run == 1 && self.characters.is_none() {
            plain.extend(means.iter().enumerate().map(|(j, mean)| {
                (column(j).map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
            }));
        }
        match dataset.labels() {
            LabelSlice::Classes(classes) => {
                let mut shares = vec![0.0; self.classes];
                for record in records {
                    if let Some(share) = shares.get_mut(classes[record.index()] as usize) {
                        *share += 1.0 / count;
                    }
                }
                plain.extend(shares);
            }
            LabelSlice::Targets(targets) => {
                let own = Moments::of(records.iter().map(|r| targets[r.index()]));
                plain.extend([own.mean, own.deviation()]);
            }
        }
        plain.push(count);
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatasetParts, Labels, TokenWindows};
    use primitives::RecordId;

    fn described(features: Features, shape: Vec<usize>) -> BTreeMap<SubjectId, Vec<f64>> {
        let classes = ["no", "yes"].map(str::to_owned).to_vec();
        labelled(features, shape, vec![0, 1, 1].into(), classes)
    }

    fn labelled(
        features: Features,
        shape: Vec<usize>,
        labels: Labels,
        classes: Vec<String>,
    ) -> BTreeMap<SubjectId, Vec<f64>> {
        let dataset = Dataset::try_new(DatasetParts {
            name: "plain".to_owned(),
            features,
            shape,
            labels,
            classes,
            subject_names: vec!["a".to_owned(), "b".to_owned()],
            natural_silos: None,
            splits: None,
            subjects: vec![SubjectId(0), SubjectId(0), SubjectId(1)],
        });
        let lists = [vec![RecordId(0), RecordId(1)], vec![RecordId(2)]];
        plain_features(&dataset.unwrap(), &SubjectIndex::from_lists(&lists))
    }

    #[test]
    fn few_features_are_described_by_mean_and_deviation() {
        let plain = described(
            Features::Floats(vec![1.0, 5.0, 3.0, 5.0, 7.0, 0.0]),
            vec![2],
        );
        assert_eq!(plain[&SubjectId(0)], [2.0, 5.0, 1.0, 0.0, 0.5, 0.5, 2.0]);
        assert_eq!(plain[&SubjectId(1)], [7.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn targets_are_described_by_mean_and_deviation() {
        let features = Features::Floats(vec![1.0, 3.0, 7.0]);
        let plain = labelled(
            features,
            vec![1],
            vec![2.0_f32, 6.0, 5.0].into(),
            Vec::new(),
        );
        assert_eq!(plain[&SubjectId(0)], [2.0, 1.0, 4.0, 2.0, 2.0]);
        assert_eq!(plain[&SubjectId(1)], [7.0, 0.0, 5.0, 0.0, 1.0]);
    }

    #[test]
    fn many_features_are_averaged_with_their_neighbours() {
        let values = (0..3 * 130).map(|i| (i % 130) as f32).collect();
        let plain = described(Features::Floats(values), vec![130]);
        // 130 in runs of three: 44 means, two classes, the count.
        assert_eq!(plain[&SubjectId(0)].len(), 47);
        assert_eq!(plain[&SubjectId(1)][..2], [1.0, 4.0]);
    }

    #[test]
    fn text_is_described_by_its_characters() {
        let windows = TokenWindows {
            text: vec![0, 0, 1, 1, 1],
            starts: vec![0, 1, 2],
            width: 3,
        };
        let plain = described(Features::Tokens(windows), vec![3]);
        let shares = &plain[&SubjectId(1)];
        assert!((shares[0]).abs() < 1e-12 && (shares[1] - 1.0).abs() < 1e-12);
        assert_eq!(shares.len(), 2 + 2 + 1);
    }
}
