//! The report as one HTML file: no script, nothing to fetch, light, dark and on paper.
//!
//! The page tells the findings in words first, then in the order of the questions people ask: what was
//! promised, what leaked, what it cost, on whom, and whether to believe it. All text from outside is
//! escaped, and the page's own policy forbids scripts and requests besides.

mod appendix;
mod attendance;
mod audit;
mod beyond;
mod compare;
mod cost;
mod leak;
mod markup;
mod opening;
mod promise;
mod repeated_audit;
mod shape;
mod sweep;
mod verdict;

pub(crate) use compare::page as compare_page;
pub(crate) use markup::escaped;
pub(crate) use repeated_audit::page as repeated_audit_page;

use crate::RunReport;
use crate::chart;

const STYLE: &str = include_str!("style.css");

impl RunReport {
    /// The report as one HTML page.
    pub fn to_html(&self) -> String {
        let sections: Vec<Section> = [
            Some(promise::section(self)),
            Some(leak::section(self)),
            Some(cost::section(self)),
            Some(shape::section(self)),
            attendance::section(self),
            audit::section(self),
            verdict::section(self),
            appendix::settings(self),
            Some(appendix::glossary(self)),
            Some(appendix::reproduce(self)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let body = opening::header(self) + &self::sections(&sections) + &opening::footer(self);
        document(&format!("{} · Siloscope report", self.identity.name), &body)
    }
}

/// A part of the page with a heading.
struct Section {
    id: &'static str,
    title: &'static str,
    body: String,
}

impl Section {
    fn to_html(&self) -> String {
        format!(
            "<section id=\"{}\"><h2>{}</h2>{}</section>\n",
            self.id,
            escaped(self.title),
            self.body
        )
    }
}

/// The sections, and before them where each is.
fn sections(sections: &[Section]) -> String {
    let mut html = "<nav aria-label=\"Contents\"><ul>".to_owned();
    for section in sections {
        html += &format!(
            "<li><a href=\"#{}\">{}</a></li>",
            section.id,
            escaped(section.title)
        );
    }
    html += "</ul></nav><main>";
    for section in sections {
        html += &section.to_html();
    }
    html + "</main>"
}

/// A whole document around `body`.
fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title>\n<style>\n{}{STYLE}</style></head>\n\
         <body>{body}</body></html>\n",
        escaped(title),
        chart::page_style(),
    )
}
