//! Scenarios and command lines that cannot be followed: each says where, what was given, what is allowed or what to
//! do, ends with the documented exit code, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{NOISE, Place, scenario};

/// A change of the scenario, and what stderr must say of it; the exit code is 3.
type Case = (&'static str, &'static str, &'static [&'static str]);

/// What the scenario says of these, as it is written there.
const SPREAD: &str = "spread = { kind = \"fixed\", silos = 2 }";
const KNOWN: &str = "known_subjects = 5";

#[track_caller]
fn refused(cases: &[Case]) {
    for (from, to, words) in cases {
        let place = Place::with(&scenario(&[(from, to)]));
        let said = place.siloscope(&["run", "./case.toml"]).ends(3, words);
        assert!(
            said.stderr.starts_with("error: scenario ./case.toml"),
            "{}",
            said.stderr
        );
        assert!(said.stdout.is_empty());
        assert!(
            !place.path("runs").exists(),
            "{from:?} → {to:?} left a run folder"
        );
        // What validates must run, and the other way about.
        place.siloscope(&["validate", "./case.toml"]).ends(3, words);
    }
}

#[rustfmt::skip]
const KEYS: &[Case] = &[
    ("seed = 7", "seed = 7\nseeed = 3", &["line 3: seeed", "did you mean `seed`?", "adversary"]),
    ("silos = 3", "silos = 3\nhospitals = 3", &["line 11: federation.hospitals", "no key `hospitals` here. Known keys: silos"]),
    ("clip_norm", "cliip_norm", &["line 24: privacy.cliip_norm", "did you mean `clip_norm`?"]),
    ("features = 6", "featurs = 6", &["line 5: data.source.featurs", "did you mean `features`?"]),
    ("kind = \"loss-threshold\"", "kind = \"loss-threshold\"\nbins = 3", &["line 33: attacks.bins", "no key `bins` here"]),
    ("seed = 7\n", "", &[": seed: `seed` is missing: add it"]),
    ("[model]\nkind = \"logistic\"\n", "", &[": model: `model` is missing"]),
    ("learning_rate = 0.3\n", "", &["line 17: training.learning_rate: `learning_rate` is missing"]),
    ("kind = \"logistic\"", "kind = \"mlp\"", &["model.hidden: `hidden` is missing"]),
    ("silos = 3", "silos = 3\nsilos = 4", &["line 11: federation.silos", "duplicate key"]),
    ("[data]", "[data", &["line 4", "unclosed table"]),
    ("averaged-gradient", "averaged-gradients", &["line 23: privacy.protection", "did you mean \"averaged-gradient\"?", "silo-noise"]),
    ("logistic", "logistics", &["line 15: model.kind", "did you mean \"logistic\"?"]),
    ("kind = \"loss-threshold\"", "kind = \"loss-treshold\"", &["line 32: attacks.kind", "did you mean \"loss-threshold\"?"]),
    ("silos = 3", "silos = \"three\"", &["line 10: federation.silos", "string \"three\"", "allowed is a whole number of at least 0"]),
    ("seed = 7", "seed = -7", &["line 2: seed", "given integer `-7`", "whole number of at least 0"]),
    ("learning_rate = 0.3", "learning_rate = \"fast\"", &["line 20: training.learning_rate", "string \"fast\"", "a number"]),
    ("\"case\"", "\"a/b\"", &["line 1: name", "\"a/b\" cannot name a run folder", "letters, digits"]),
    ("\"case\"", "\"..\"", &["line 1: name", "cannot name a run folder"]),
    ("\"case\"", "\"\"", &["line 1: name", "1 to 64"]),
];

#[rustfmt::skip]
const ABSENCE: &[Case] = &[
    ("silos = 3", "silos = 3\nquorum = 4", &["line 11: federation.quorum", "outside 1 to 3, the silos of a round"]),
    ("silos = 3", "silos = 3\nquorum = 0", &["line 11: federation.quorum", "outside 1 to 3"]),
    ("silos = 3", "silos = 3\nmax_repeats = 2", &["line 11: federation.max_repeats", "on_lost_quorum = \"repeat\""]),
    ("silos = 3", "silos = 3\nmax_repeats = 0\non_lost_quorum = \"repeat\"", &["line 11: federation.max_repeats", "at least 1"]),
    ("silos = 3", "silos = 3\ndeadline_seconds = 0", &["line 11: federation.deadline_seconds", "a time above 0"]),
    ("silos = 3", "silos = 3\ndeadline_seconds = -1", &["line 11: federation.deadline_seconds", "outside 0 to 1000000000"]),
    ("silos = 3", "silos = 3\non_lost_quorum = \"retry\"", &["line 11: federation.on_lost_quorum", "Allowed: end, repeat"]),
    ("silos = 3", "silos = 3\nmax_update_norm = 0", &["line 11: federation.max_update_norm", "above 0"]),
    ("[model]", "[network]\nloss = 1.5\n\n[model]", &["line 15: network.loss", "1.5 is outside [0, 0.9]"]),
    ("[model]", "[network]\nlatency = 5\n\n[model]", &["line 15: network.latency", "did you mean `latency_ms`?"]),
    ("[model]", "[network]\noutages = { kind = \"trace\", seconds = [[5, 3]] }\n\n[model]", &["line 15: network.outages", "[5, 3] ends before it begins"]),
    ("[model]", "[network]\noutages = { kind = \"random\", mean_up_seconds = 9, mean_down_seconds = 1 }\n\n[model]", &["line 15: network.outages", "add federation.deadline_seconds"]),
    ("[model]", "[[network.silos]]\nsilo = 3\n\n[model]", &["network.silos[0]", "silo = 3 is outside 0 to 2"]),
    ("[model]", "[[network.silos]]\nsilo = 1\n[[network.silos]]\nsilo = 1\n\n[model]", &["network.silos[1]", "silo 1 is listed twice"]),
];

#[test]
fn keys() {
    refused(KEYS);
}

#[test]
fn absence() {
    refused(ABSENCE);
}

#[rustfmt::skip]
const PRIVACY: &[Case] = &[
    ("clip_norm = 1.0", "clip_norm = -1.0", &["line 24: privacy.clip_norm", "clip norm -1", "finite number above 0"]),
    ("clip_norm = 1.0", "clip_norm = 0", &["line 24: privacy.clip_norm", "clip norm 0"]),
    ("clip_norm = 1.0", "clip_norm = nan", &["line 24: privacy.clip_norm", "clip norm NaN"]),
    ("clip_norm = 1.0", "clip_norm = inf", &["line 24: privacy.clip_norm", "clip norm inf"]),
    ("clip_norm = 1.0\n", "", &["line 22: privacy", "needs `clip_norm`"]),
    ("clip_norm = 1.0", "clip_norm = \"auto\"", &["line 24: privacy.clip_norm", "string \"auto\"", "a table of a clip norm that adapts"]),
    ("clip_norm = 1.0", "clip_norm = { initial = 1.0, quantil = 0.5 }", &["line 24: privacy.clip_norm", "did you mean `quantile`?"]),
    ("clip_norm = 1.0", "clip_norm = { quantile = 0.5 }", &["line 24: privacy.clip_norm", "`initial` is missing"]),
    ("clip_norm = 1.0", "clip_norm = { initial = 0.0 }", &["line 24: privacy.clip_norm", "clip norm 0 is not"]),
    ("clip_norm = 1.0", "clip_norm = { initial = 1.0, quantile = 1.0 }", &["line 24: privacy.clip_norm", "quantile = 1 is outside (0, 1)"]),
    ("clip_norm = 1.0", "clip_norm = { initial = 1.0, learning_rate = 2 }", &["line 24: privacy.clip_norm", "learning_rate = 2", "at most 1"]),
    ("clip_norm = 1.0", "clip_norm = { initial = 1.0, count_share = 0 }", &["line 24: privacy.clip_norm", "count_share = 0 is outside (0, 1)"]),
    ("\"averaged-gradient\"\nclip_norm = 1.0", "\"silo-noise\"\nclip_norm = { initial = 1.0 }", &["only that of local steps adapts"]),
    ("noise_multiplier = 1.0", "noise_multiplier = -1.0", &["line 25: privacy.noise_multiplier", "noise multiplier -1", "at least 0"]),
    ("noise_multiplier = 1.0", "noise_multiplier = nan", &["line 25: privacy.noise_multiplier", "NaN"]),
    ("noise_multiplier = 1.0", "noise_multiplier = inf", &["line 25: privacy.noise_multiplier", "inf"]),
    ("delta = 1e-3", "delta = -1", &["line 26: privacy.delta", "delta -1 is outside [0, 1]"]),
    ("delta = 1e-3", "delta = 0", &["line 26: privacy.delta", "promises nothing at δ = 0"]),
    ("delta = 1e-3", "delta = nan", &["line 26: privacy.delta", "delta NaN"]),
    ("delta = 1e-3", "delta = 0.05", &["line 26: privacy.delta", "not below 1/30 subjects", "give delta below 3.3e-3"]),
    ("\ndelta = 1e-3", "", &["line 22: privacy", "needs `delta`, e.g. delta = 1e-5"]),
    (NOISE, "", &["line 22: privacy", "neither of `budget` and `noise_multiplier`"]),
    (NOISE, "delta = 1e-3\nbudget = { unit = \"subject\", epsilon = 3.0, delta = 1e-3 }", &["`delta` beside `budget`", "remove one"]),
    (NOISE, "budget = { unit = \"silo\", epsilon = 3.0, delta = 1e-3 }", &["line 25: privacy.budget", "no noise can keep a silo within epsilon 3", "use protection = \"silo-noise\""]),
    (NOISE, "budget = { unit = \"subject\", epsilon = 0.0, delta = 1e-3 }", &["line 25: privacy.budget", "epsilon = 0 is no budget"]),
    (NOISE, "budget = { unit = \"subject\", epsilon = -1.0, delta = 1e-3 }", &["line 25: privacy.budget", "epsilon -1"]),
    (NOISE, "budget = { unit = \"subject\", epsilon = nan, delta = 1e-3 }", &["line 25: privacy.budget", "epsilon NaN"]),
    (NOISE, "budget = { unit = \"subject\", epsilon = inf, delta = 1e-3 }", &["line 25: privacy.budget", "epsilon = inf is no budget"]),
    (NOISE, "budget = { unit = \"subject\", epsilon = 1.0, delta = 0.0 }", &["line 25: privacy.budget", "delta = 0 is no budget"]),
    (NOISE, "budget = { unit = \"subject\", epsilon = 1.0, delta = 0.5 }", &["line 25: privacy.budget", "not below 1/30 subjects"]),
    (NOISE, "budget = { unit = \"subject\", epsilon = 1.0 }", &["line 25: privacy.budget", "`delta` is missing"]),
    (NOISE, "budget = { unit = \"person\", epsilon = 1.0, delta = 1e-3 }", &["line 25: privacy.budget", "\"person\"", "Allowed: record, subject, silo"]),
    (NOISE, "budget = { unit = \"subject\", epsilon = 1e-12, delta = 1e-200 }", &["line 25: privacy.budget", "no noise meets ε ≤", "raise the budget"]),
    ("averaged-gradient\"", "group\"", &["needs `group_size`, e.g. group_size = 8"]),
    ("averaged-gradient\"", "group\"\ngroup_size = 0", &["line 24: privacy.group_size", "given integer `0`", "at least 1"]),
    ("averaged-gradient\"", "record\"\ngroup_size = 3", &["protection = \"record\" does not use `group_size`", "remove it"]),
    ("averaged-gradient\"", "subject-sampling\"", &["needs `records_per_subject`"]),
    ("averaged-gradient\"", "none\"", &["protection = \"none\" does not use `clip_norm`"]),
];

#[test]
fn privacy() {
    refused(PRIVACY);
}

#[rustfmt::skip]
const TRAINING_AND_MODEL: &[Case] = &[
    ("learning_rate = 0.3\n\n[privacy]\nprotection = \"averaged-gradient\"\nclip_norm = 1.0", "learning_rate = 0.3\nclipping = \"automatic\"\n\n[privacy]\nprotection = \"averaged-gradient\"\nclip_norm = { initial = 1.0 }", &["line 21: training.clipping", "takes clipping = \"flat\""]),
    ("sampling_rate = 0.2", "sampling_rate = 0", &["line 19: training.sampling_rate", "sampling rate 0 is outside (0, 1]"]),
    ("sampling_rate = 0.2", "sampling_rate = 1.5", &["line 19: training.sampling_rate", "sampling rate 1.5"]),
    ("sampling_rate = 0.2", "sampling_rate = nan", &["line 19: training.sampling_rate", "NaN"]),
    ("sampling_rate = 0.2", "batch_size = 8", &["line 19: training.batch_size", "shuffled batches", "give sampling_rate instead"]),
    ("sampling_rate = 0.2", "batch_size = 0", &["line 19: training.batch_size: batch_size = 0"]),
    ("sampling_rate = 0.2", "sampling_rate = 0.2\nbatch_size = 8", &["line 17: training", "both of `sampling_rate` and `batch_size`"]),
    ("learning_rate = 0.3", "learning_rate = 0", &["line 20: training.learning_rate: learning_rate = 0", "positive"]),
    ("learning_rate = 0.3", "learning_rate = -1", &["line 20: training.learning_rate", "-1"]),
    ("learning_rate = 0.3", "learning_rate = nan", &["line 20: training.learning_rate", "NaN"]),
    ("learning_rate = 0.3", "learning_rate = inf", &["line 20: training.learning_rate", "inf"]),
    ("local_steps = 3", "local_steps = 0", &["line 18: training.local_steps: local_steps = 0", "at least 1"]),
    ("local_steps = 3", "local_epochs = 0", &["line 18: training.local_epochs"]),
    ("local_steps = 3", "local_steps = 3\nlocal_epochs = 1", &["both of `local_steps` and `local_epochs`"]),
    ("local_steps = 3\n", "", &["neither of `local_steps` and `local_epochs`"]),
    ("learning_rate = 0.3", "learning_rate = 0.3\nbackend = \"gpu\"", &["line 21: training.backend", "\"gpu\""]),
    ("learning_rate = 0.3", "learning_rate = 0.3\noptimizer = { kind = \"momentum\", momentum = 1.0 }", &["training.optimizer", "momentum", "outside [0, 1)"]),
    ("logistic\"", "convnet\"", &["line 14: model", "grey images", "6 numbers a record", "choose a model for it"]),
    ("logistic\"", "mlp\"\nhidden = [0]", &["line 16: model.hidden", "a layer of 0"]),
    ("logistic\"", "mlp\"\nhidden = [-5]", &["model", "integer `-5`"]),
    ("logistic\"", "mlp\"\nhidden = [9223372036854775807]", &["line 16: model.hidden", "1048576"]),
    ("logistic\"", "mlp\"\nhidden = [1000000, 1000000]", &["line 14: model", "parameters", "smaller"]),
];

#[test]
fn training_and_model() {
    refused(TRAINING_AND_MODEL);
}

#[rustfmt::skip]
const FEDERATION: &[Case] = &[
    ("silos = 3", "silos = 0", &["line 10: federation.silos", "silos = 0", "1 to 16777216"]),
    ("silos = 3", "silos = 500", &["line 9: federation", "of 500 is empty", "use fewer silos"]),
    ("silos = 3", "silos = 16777217", &["line 10: federation.silos", "16777217"]),
    ("silos = 3", "silos = 3\nsilos_per_round = 9", &["line 11: federation.silos_per_round", "silos_per_round = 9 is outside 1 to 3"]),
    ("silos = 3", "silos = 3\nsilos_per_round = 0", &["line 11: federation.silos_per_round"]),
    ("rounds = 6", "rounds = 0", &["line 11: federation.rounds", "rounds = 0; allowed is 1 to"]),
    ("rounds = 6", "rounds = 4294967295", &["line 11: federation.rounds", "100000"]),
    (SPREAD, "spread = { kind = \"fixed\", silos = 5 }", &["federation", "asks for 5 silos a subject", "lower the spread"]),
    (SPREAD, "spread = { kind = \"fixed\", silos = 0 }", &["line 12: federation.spread", "0 silos a subject"]),
    (SPREAD, "spread = { kind = \"zipf\", exponent = -1.0, max_silos = 2 }", &["line 12: federation.spread", "exponent -1"]),
    (SPREAD, "spread = { kind = \"zipf\", exponent = nan, max_silos = 2 }", &["line 12: federation.spread", "exponent NaN"]),
    (SPREAD, "partition = { kind = \"natural\" }", &["federation", "names no silos", "name a silo column"]),
    ("rounds = 6", "rounds = 6\npartition = { kind = \"natural\" }", &["federation.spread", "leave spread out"]),
    (SPREAD, "partition = { kind = \"dirichlet\", alpha = 0.0 }", &["line 12: federation.partition", "alpha = 0"]),
    (SPREAD, "partition = { kind = \"quantity\", exponent = -1.0 }", &["line 12: federation.partition", "exponent -1"]),
    (SPREAD, "strategy = { kind = \"fed-avgg\" }", &["line 12: federation.strategy", "did you mean \"fed-avg\"?"]),
    (SPREAD, "strategy = { kind = \"fed-adam\" }", &["federation.strategy.server_learning_rate", "is missing"]),
    (SPREAD, "strategy = { kind = \"fed-adam\", server_learning_rate = 0.1, beta1 = 1.5 }", &["line 12: federation.strategy", "decay 1.5"]),
    (SPREAD, "strategy = { kind = \"fed-avg\", server_learning_rate = 0.0 }", &["line 12: federation.strategy", "0 is not a finite number above 0"]),
    (SPREAD, "strategy = { kind = \"fed-avg\", weights = \"records\" }", &["line 12: federation.strategy", "while a protection is on", "use weights = \"uniform\""]),
    (SPREAD, "aggregator = { kind = \"trimmed-mean\", fraction = 0.7 }", &["line 12: federation.aggregator", "fraction 0.7 is outside [0, 0.5)"]),
];

#[test]
fn federation() {
    refused(FEDERATION);
    let noised = scenario(&[
        ("averaged-gradient", "silo-noise"),
        (SPREAD, "aggregator = { kind = \"median\" }"),
    ]);
    Place::with(&noised)
        .siloscope(&["run", "./case.toml"])
        .ends(
            3,
            &[
                "line 12: federation.aggregator",
                "is itself an aggregator",
                "remove `aggregator`",
            ],
        );
}

#[rustfmt::skip]
const ADVERSARY_AND_GATES: &[Case] = &[
    (KNOWN, "known_subjects = 4000", &["line 29: adversary.known_subjects", "4000 known subjects", "30 members and 30 non-members", "at most 28"]),
    (KNOWN, "known_subjects = -1", &["line 29: adversary.known_subjects", "-1"]),
    (KNOWN, "known_subjects = 5\nview = \"everything\"", &["line 30: adversary.view", "\"everything\"", "final-model"]),
    (KNOWN, "view = \"final-model\"", &["line 34: attacks[1]", "needs adversary.view = \"every-round\", and adversary.view is final-model"]),
    ("", "\n[[attacks]]\nkind = \"loss-threshold\"", &["line 37: attacks[2]", "listed twice", "attacks[0]"]),
    ("", "\n[[attacks]]\nkind = \"loss-across-rounds\"\nstatistic = \"slope\"", &["attacks[2]", "loss-across-rounds/slope is listed twice", "attacks[1]"]),
    ("", "\n[[attacks]]\nkind = \"update-alignment\"", &["attacks[2]", "needs adversary.view = \"silo-updates\""]),
    (KNOWN, "known_subjects = 2\n[[attacks]]\nkind = \"histogram-forest\"", &["line 30: attacks[0]", "needs adversary.known_subjects = at least 3", "is 2"]),
    ("", "\n[[attacks]]\nkind = \"lira\"", &["attacks[2]", "needs adversary.shadows = at least 4"]),
    ("", "\n[gates]\nmax_subject_auc = 0.3", &["line 38: gates.max_subject_auc", "0.3 is outside 0.5 to 1"]),
    ("", "\n[gates]\nmax_subject_auc = nan", &["gates.max_subject_auc", "NaN"]),
    ("", "\n[gates]\nmin_accuracy = 1.5", &["gates.min_accuracy", "1.5 is outside 0 to 1"]),
    ("", "\n[gates]\nmax_record_epsilon = -1.0", &["gates.max_record_epsilon", "-1 is no limit", "finite number of at least 0"]),
    ("", "\n[gates]\nmax_subject_epsilon = inf", &["gates.max_subject_epsilon", "inf"]),
    ("fresh_fraction = 0.25", "member_fraction = 1.0", &["data.member_fraction", "60 members and 0 non-members", "at least 2 of each"]),
];

#[test]
fn adversary_and_gates() {
    refused(ADVERSARY_AND_GATES);
    let attacks =
        "\n[[attacks]]\nkind = \"loss-threshold\"\n\n[[attacks]]\nkind = \"loss-across-rounds\"\n";
    refused(&[
        (
            attacks,
            "\n[gates]\nmax_subject_auc = 0.6",
            &[
                "line 32: gates.max_subject_auc",
                "there is none",
                "add an [[attacks]] table",
            ],
        ),
        (
            "known_subjects = 5\n\n[[attacks]]\nkind = \"loss-threshold\"\n\n[[attacks]]\nkind = \"loss-across-rounds\"\n",
            "view = \"silo-updates\"",
            &["line 29: adversary.view", "there is no attack"],
        ),
    ]);
}

#[test]
fn command_lines() {
    let place = Place::with(&scenario(&[]));
    let cases: &[(&[&str], i32, &[&str])] = &[
        (
            &["run", "quickstrat"],
            3,
            &[
                "no catalogue scenario \"quickstrat\"",
                "did you mean quickstart?",
            ],
        ),
        (
            &["run", "zebra"],
            3,
            &["no catalogue scenario \"zebra\". The catalogue: quickstart"],
        ),
        (
            &["run", "./nothing.toml"],
            3,
            &["./nothing.toml", "cannot be read", "No such file"],
        ),
        (&["run", "./"], 3, &["cannot be read", "directory"]),
        (
            &["run", "smoke", "--set", "seeed=3"],
            3,
            &["scenario smoke: seeed", "did you mean `seed`?"],
        ),
        (
            &["run", "smoke", "--set", "privacy.clipnorm=3"],
            3,
            &[
                "scenario smoke: privacy.clipnorm",
                "did you mean `clip_norm`?",
            ],
        ),
        (
            &["run", "smoke", "--set", "privacy.clip_norm=-1"],
            3,
            &["scenario smoke: privacy.clip_norm", "clip norm -1"],
        ),
        (
            &["run", "smoke", "--set", "seed.deep=3"],
            3,
            &["`seed` is not a table"],
        ),
        (
            &["run", "smoke", "--set", "seed"],
            2,
            &["--set", "no '='", "key=value"],
        ),
        (
            &["run", "smoke", "--set", "=3"],
            2,
            &["--set", "names no key"],
        ),
        (
            &["run", "smoke", "--threads", "0"],
            2,
            &["'0'", "--threads"],
        ),
        (&["run"], 2, &["<SCENARIO>"]),
        (&["rnu", "smoke"], 2, &["unrecognized subcommand 'rnu'"]),
        (&["run", "smoke", "--json", "--jsonl"], 2, &["--jsonl"]),
        (&["init", "quikstart"], 3, &["did you mean quickstart?"]),
        (
            &["init", "smoke", "--out", "case.toml"],
            2,
            &["case.toml exists already", "--out"],
        ),
        (&["completions", "tcsh"], 2, &["tcsh", "bash"]),
    ];
    for (args, code, words) in cases {
        let said = place.siloscope(args).ends(*code, words);
        assert!(said.stdout.is_empty());
        assert!(!place.path("runs").exists(), "{args:?} left a run folder");
    }
    place.write("latin.toml", b"name = \"\xff\"");
    place
        .siloscope(&["run", "latin.toml"])
        .ends(3, &["latin.toml", "UTF-8"]);
}
