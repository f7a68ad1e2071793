//! What generators there are, for those who look for one.

/// One generator.
#[derive(Debug)]
pub struct SyntheticKind {
    /// What a scenario writes as `kind`.
    pub name: &'static str,
    /// One line on who the subjects are and what is predicted.
    pub description: &'static str,
    /// A source that draws from it, as a scenario writes it.
    pub example: &'static str,
    /// The settings under which subjects are all alike; none where they always are.
    pub null: Option<&'static str>,
}

const KINDS: [SyntheticKind; 4] = [
    SyntheticKind {
        name: "subjects",
        description: "people with a distribution and a label shift of their own; a class is predicted",
        example: r#"{ synthetic = { kind = "subjects", subjects = 120 } }"#,
        null: Some("spread = 0.0, shift = 0.0"),
    },
    SyntheticKind {
        name: "subject-regression",
        description: "the same people, each with a level of its own; a number is predicted",
        example: r#"{ synthetic = { kind = "subject-regression", subjects = 120 } }"#,
        null: Some("spread = 0.0, shift = 0.0"),
    },
    SyntheticKind {
        name: "subject-sequences",
        description: "people who write by a Markov chain of their own; the next token is predicted",
        example: r#"{ synthetic = { kind = "subject-sequences", subjects = 120 } }"#,
        null: Some("distinctiveness = 0.0"),
    },
    SyntheticKind {
        name: "gaussian-classes",
        description: "classes with a centre each and nobody in particular, for benchmarks",
        example: r#"{ synthetic = { kind = "gaussian-classes", records = 1000, test_records = 200 } }"#,
        null: None,
    },
];

/// Every generator.
pub const fn synthetic_kinds() -> &'static [SyntheticKind] {
    &KINDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataConfig;
    use primitives::Seed;

    #[test]
    fn every_example_can_be_drawn_with_and_without_differences() {
        let draw = |source: &str| {
            let config: DataConfig = toml::from_str(&format!("source = {source}")).unwrap();
            config.load(".".as_ref(), &Seed::from_number(1)).unwrap()
        };
        for kind in synthetic_kinds() {
            let dataset = draw(kind.example);
            assert_eq!(dataset.name(), format!("synthetic {}", kind.name));
            let Some(null) = kind.null else { continue };
            let alike = draw(&kind.example.replace(" } }", &format!(", {null} }} }}")));
            assert_ne!(alike.digest(), dataset.digest(), "{}", kind.name);
        }
    }
}
