//! An audit over independent runs on one page.

use super::audit::{method_table, suspects};
use super::document;
use super::markup::{escaped, figures, fold, paragraph, sentence};
use crate::figure;
use crate::format;
use crate::model::RepeatedAudit;

/// The page.
pub(crate) fn page(audit: &RepeatedAudit) -> String {
    let mut body = format!(
        "<header><p class=\"kicker\">Siloscope audit over independent runs</p><h1>{}</h1></header><main><section>\
         <div class=\"findings\">{}</div>",
        escaped(&audit.name),
        audit.findings().iter().map(sentence).collect::<String>()
    );
    body += &paragraph(&format!(
        "Audited: the {}; {}.",
        audit.who,
        audit.placement()
    ));
    body += &paragraph(&format!(
        "The federation was trained {} times with this subject and {} times without it. Nothing else differs but the \
         draws of initial weights, batches and noise: everybody else's records lie in the same silos, and sums are divided \
         by the same numbers. {} Statistic and threshold were chosen on the first {} and {} runs, and the others judge \
         them. Runs are independent of each other whatever the mechanism is.",
        audit.runs.with,
        audit.runs.without,
        audit.view,
        audit.chosen_on.with,
        audit.chosen_on.without
    ));
    body += &figures([figure::told_apart(audit)]);
    let caption = format!(
        "After the last round, by {}; the accountant: at most {}",
        audit.statistic,
        format::epsilon_upper(audit.upper)
    );
    body += &method_table(&caption, &audit.methods);
    body += &fold(
        "What there was to choose from",
        &audit
            .statistics
            .iter()
            .map(|statistic| paragraph(statistic))
            .collect::<String>(),
    );
    if audit.refuted {
        body += &suspects(1.0 - audit.confidence.get());
    }
    body += &format!(
        "</section></main><footer><p>seed {} · plan <code>{}</code> · siloscope {}</p></footer>",
        audit.seed,
        escaped(&audit.plan_digest),
        escaped(&audit.siloscope_version)
    );
    document(&format!("{} · Siloscope audit", audit.name), &body)
}
