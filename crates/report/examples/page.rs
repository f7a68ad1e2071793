//! Writes the reports of made-up runs and sweeps, to look at: `cargo run -p siloscope-report --example page -- FOLDER`.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    fs::create_dir_all(&folder)?;
    let large = fixture::World {
        members: 5000,
        non_members: 5000,
        silos: 100,
        ..fixture::PRIVATE
    };
    let short = fixture::World {
        rounds: 1,
        members: 30,
        non_members: 30,
        ..fixture::PRIVATE
    };
    for (name, report) in [
        ("private", fixture::report(fixture::PRIVATE)),
        ("bare", fixture::report(fixture::BARE)),
        ("large", fixture::report(large)),
        ("short", fixture::report(short)),
        ("empty", fixture::empty()),
    ] {
        fs::write(folder.join(format!("{name}.html")), report.to_html())?;
        fs::write(folder.join(format!("{name}.json")), report.to_json())?;
        let figures = folder.join(name);
        fs::create_dir_all(&figures)?;
        for figure in siloscope_report::figures(&report) {
            fs::write(
                figures.join(format!("{}.svg", figure.name)),
                figure.to_svg(),
            )?;
        }
    }
    for (name, report) in [
        ("sweep-grid", fixture::sweep::grid()),
        ("sweep-random", fixture::sweep::random(300)),
        ("sweep-lone", fixture::sweep::lone()),
        ("sweep-zip", fixture::sweep::zip()),
        ("sweep-one-at-a-time", fixture::sweep::one_at_a_time()),
    ] {
        fs::write(folder.join(format!("{name}.html")), report.to_html())?;
        fs::write(folder.join(format!("{name}.json")), report.to_json())?;
        let style = siloscope_report::TextStyle {
            width: 110,
            colour: false,
        };
        fs::write(folder.join(format!("{name}.txt")), report.to_text(style))?;
    }
    let strict = fixture::World {
        epsilon: 1.0,
        accuracy: 0.78,
        auc: [0.505, 0.51],
        ..fixture::PRIVATE
    };
    let reports = [fixture::BARE, fixture::PRIVATE, strict].map(fixture::report);
    let comparison = siloscope_report::Comparison::try_new(&reports).map_err(io::Error::other)?;
    fs::write(folder.join("compare.html"), comparison.to_html())?;
    let style = siloscope_report::TextStyle {
        width: 100,
        colour: false,
    };
    fs::write(folder.join("compare.txt"), comparison.to_text(style))?;
    fs::write(folder.join("private.txt"), reports[1].to_text(style))?;
    Ok(())
}
