//! What leaked beyond one run: from federation to federation, silo by silo, and what exposed subjects share.

use super::markup::{Table, escaped, figures, paragraph};
use crate::RunReport;
use crate::figure;
use crate::format;
use crate::model::Regime;

/// Every attack over the shadow federations, with the survival curves; nothing without shadows.
pub(super) fn over_runs(report: &RunReport) -> String {
    let all = &report.leak.over_runs;
    let Some(first) = all.first() else {
        return String::new();
    };
    let nouns = &report.identity.nouns;
    let mut html = "<h3>From federation to federation</h3>".to_owned();
    html += &paragraph(&format!(
        "{} further federations were trained in the same way on other halves of the {}, and each was attacked with \
         the others’ help. So every {} has been in and out, and has an AUC of its own: one that is found every time \
         has 1, whatever the average over everybody. Over so few runs some reach a high value by luck; the share that \
         would is given beside.",
        first.runs, nouns.subject.many, nouns.subject.one
    ));
    let head = [
        "attack".to_owned(),
        "adversary holds".to_owned(),
        "#mean AUC".to_owned(),
        "#deviation".to_owned(),
        format!("#{} with own AUC ≥ 0.9 [95 %]", nouns.subject.many),
        "#by luck".to_owned(),
        "#≥ 0.99 [95 %]".to_owned(),
        "#by luck".to_owned(),
    ];
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new(
        "Attack success over the federations, after the last round",
        &head,
    );
    for over in all {
        let mut cells = vec![
            over.title.clone(),
            format::regime(over.regime).to_owned(),
            format::fixed(over.auc.get(), 3),
            format::fixed(over.deviation.get(), 3),
        ];
        for at in &over.exposed {
            cells.extend([format::share(at), format::percent(at.by_luck.get())]);
        }
        table.row(cells);
    }
    html += &table.to_html();
    html + &figures(Regime::ALL.map(|regime| figure::survival(report, regime)))
}

/// Which silos were named; nothing if nobody saw the silos' updates.
pub(super) fn sources(report: &RunReport) -> String {
    let all = &report.leak.sources;
    let Some(first) = all.first() else {
        return String::new();
    };
    let nouns = &report.identity.nouns;
    let mut html = format!("<h3>Which {} holds whom</h3>", escaped(&nouns.silo.one));
    html += &paragraph(&format!(
        "For a {} known to be a member, the {} whose own model has the smallest loss on its {} is named. Where a {} \
         lies in several, each has an AUC of its own: how well its loss tells those it holds from those that only \
         others hold. Source: {}.",
        nouns.subject.one, nouns.silo.one, nouns.record.many, nouns.subject.one, first.source
    ));
    let named = format!("#{} named rightly", nouns.silo.one);
    let mut table = Table::new(
        "Source inference after the last round",
        &["adversary holds", "#members", &named, "#by lot"],
    );
    for source in all {
        table.row([
            format::regime(source.regime).to_owned(),
            format::count(u64::from(source.members)),
            format::percent(source.named.get()),
            format::percent(source.chance.get()),
        ]);
    }
    html += &table.to_html();
    let head = [nouns.silo.one.as_str(), "adversary holds", "#AUC", "#F1"];
    let mut table = Table::new("Silo by silo", &head);
    for source in all {
        for silo in &source.silos {
            let name = report.shape.silos.get(silo.silo as usize);
            table.row([
                name.map_or_else(|| silo.silo.to_string(), |silo| silo.name.clone()),
                format::regime(source.regime).to_owned(),
                format::fixed(silo.auc.get(), 3),
                silo.f1
                    .map_or("—".to_owned(), |f1| format::fixed(f1.get(), 3)),
            ]);
        }
    }
    html + &table.to_html()
}

/// What the most exposed have in common.
pub(super) fn exposed(report: &RunReport) -> String {
    let nouns = &report.identity.nouns;
    let mut html = String::new();
    for exposed in &report.leak.exposed {
        let caption = format!(
            "What exposed {} have in common: {}, {}; exposure is the {}. {} {}, of whom the {} most exposed are set \
             against the others. Nearer to 0 than the interval is wide means nothing was found.",
            nouns.subject.many,
            exposed.title,
            format::regime(exposed.regime),
            exposed.measure,
            exposed.subjects,
            nouns.subject.many,
            exposed.most,
        );
        let head = ["", "#rank correlation [95 %]", "#most exposed", "#others"];
        let mut table = Table::new(&caption, &head);
        for factor in &exposed.factors {
            table.row([
                factor.name.clone(),
                format::signed(&factor.correlation),
                format::trimmed(factor.most.get(), 3),
                format::trimmed(factor.others.get(), 3),
            ]);
        }
        html += &table.to_html();
    }
    html
}
