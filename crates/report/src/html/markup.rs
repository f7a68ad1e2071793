//! The few shapes that HTML is made of here: escaped text, sentences, tables, figures, folds.

use crate::Figure;
use crate::words::{Sentence, Span};

/// `text` with everything that HTML would read as markup made harmless.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A sentence with its figures set apart.
pub(super) fn sentence(sentence: &Sentence) -> String {
    let spans = sentence.spans().iter().map(|span| match span {
        Span::Words(text) => escaped(text),
        Span::Figure(text) => format!("<strong>{}</strong>", escaped(text)),
    });
    format!("<p>{}</p>", spans.collect::<String>())
}

/// A paragraph.
pub(super) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escaped(text))
}

/// A figure with its caption.
pub(super) fn figure(figure: &Figure) -> String {
    format!(
        "<figure id=\"figure-{}\">{}<figcaption>{}</figcaption></figure>",
        escaped(&figure.name),
        figure.to_inline(),
        escaped(&figure.caption)
    )
}

/// Figures side by side where there is room; nothing if there are none.
pub(super) fn figures(all: impl IntoIterator<Item = Option<Figure>>) -> String {
    let shown: String = all.into_iter().flatten().map(|one| figure(&one)).collect();
    if shown.is_empty() {
        shown
    } else {
        format!("<div class=\"figures\">{shown}</div>")
    }
}

/// A key figure.
pub(super) struct Tile {
    /// The class that colours it.
    pub(super) tone: &'static str,
    pub(super) title: String,
    pub(super) value: String,
    pub(super) under: String,
}

/// Key figures side by side; nothing if there are none.
pub(super) fn tiles(all: &[Tile]) -> String {
    let shown: String = all
        .iter()
        .map(|tile| {
            format!(
                "<div class=\"tile {}\"><h3>{}</h3><p class=\"value\">{}</p><p>{}</p></div>",
                tile.tone,
                escaped(&tile.title),
                escaped(&tile.value),
                escaped(&tile.under)
            )
        })
        .collect();
    if shown.is_empty() {
        shown
    } else {
        format!("<div class=\"tiles\">{shown}</div>")
    }
}

/// Something to unfold.
pub(super) fn fold(summary: &str, body: &str) -> String {
    format!(
        "<details><summary>{}</summary>{body}</details>",
        escaped(summary)
    )
}

/// A table that scrolls by itself where it is too wide.
pub(super) struct Table {
    caption: String,
    head: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with `head`; a heading that starts with `#` is over numbers, set to the right.
    pub(super) fn new(caption: &str, head: &[&str]) -> Self {
        let head = head.iter().map(|text| match text.strip_prefix('#') {
            Some(text) => (text.to_owned(), true),
            None => ((*text).to_owned(), false),
        });
        Self {
            caption: caption.to_owned(),
            head: head.collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of plain text.
    pub(super) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| escaped(cell.as_ref()))
                .collect(),
        );
    }

    /// Adds a row of markup, escaped by the caller.
    pub(super) fn markup_row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table; the first cell of a row names the row.
    pub(super) fn to_html(&self) -> String {
        let class = |column: usize| {
            if self.head.get(column).is_some_and(|head| head.1) {
                " class=\"n\""
            } else {
                ""
            }
        };
        let mut html = format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table><caption><span>{0}</span></caption><thead><tr>",
            escaped(&self.caption)
        );
        for (column, (text, _)) in self.head.iter().enumerate() {
            html += &format!("<th scope=\"col\"{}>{}</th>", class(column), escaped(text));
        }
        html += "</tr></thead><tbody>";
        for row in &self.rows {
            html += "<tr>";
            for (column, cell) in row.iter().enumerate() {
                html += &match column {
                    0 => format!("<th scope=\"row\"{}>{cell}</th>", class(column)),
                    _ => format!("<td{}>{cell}</td>", class(column)),
                };
            }
            html += "</tr>";
        }
        html + "</tbody></table></div>"
    }
}

/// A mark and a word for something that held or did not: never colour alone.
pub(super) fn badge(kind: Badge, text: &str) -> String {
    let (class, mark) = match kind {
        Badge::Good => ("good", "✓"),
        Badge::Bad => ("bad", "✗"),
        Badge::Neutral => ("neutral", "–"),
    };
    format!(
        "<span class=\"badge {class}\"><span aria-hidden=\"true\">{mark}</span> {}</span>",
        escaped(text)
    )
}

/// How something turned out.
#[derive(Clone, Copy)]
pub(super) enum Badge {
    Good,
    Bad,
    Neutral,
}

/// Which rounds a table shows: all, or about a hundred with the first and the last.
pub(super) fn shown_rounds(rounds: usize) -> impl Fn(usize) -> bool {
    let step = rounds.div_ceil(100).max(1);
    move |k| k.is_multiple_of(step) || k + 1 == rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            escaped("<script>&'\"\u{7}"),
            "&lt;script&gt;&amp;&#39;&quot;\u{fffd}"
        );
    }

    #[test]
    fn long_tables_keep_their_ends() {
        let shown = shown_rounds(1001);
        let kept: Vec<usize> = (0..1001).filter(|&k| shown(k)).collect();
        assert!(kept.len() <= 101 && kept[0] == 0 && kept[kept.len() - 1] == 1000);
    }
}
