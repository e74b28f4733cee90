//! Draws a table as horizontal bars.

use super::table::Table;
use svg::node::element::{Group, Rectangle, Text};
use svg::{Document, Node};

const WIDTH: f64 = 760.0;
/// Where bars begin; the names of rows are left of it.
const LEFT: f64 = 300.0;
/// Length of the longest bar. Its number is right of it.
const LONGEST: f64 = 380.0;
const BAR: f64 = 14.0;
/// Space between two rows.
const GAP: f64 = 10.0;
/// Space for title and legend.
const TOP: f64 = 56.0;
/// One colour a series, distinguishable for people who see no red or no green.
const COLOURS: [&str; 4] = ["#9aa5b1", "#0072b2", "#e69f00", "#009e73"];

/// The figure, an SVG document.
pub fn draw(table: &Table) -> String {
    let row_height = BAR * table.series.len() as f64 + GAP;
    let height = TOP + row_height * table.rows.len() as f64 + GAP;
    let values = table.rows.iter().flat_map(|row| row.values.iter().flatten());
    let largest = values.copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut bars = Group::new();
    for (position, row) in table.rows.iter().enumerate() {
        let top = TOP + row_height * position as f64;
        let middle = top + BAR * table.series.len() as f64 / 2.0;
        bars.append(text(&row.name, LEFT - 8.0, middle + 4.0).set("text-anchor", "end"));
        for (series, value) in row.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let (y, length) = (top + BAR * series as f64, LONGEST * value / largest);
            bars.append(rectangle(LEFT, y, length, BAR - 2.0, series));
            bars.append(text(&value.to_string(), LEFT + length + 5.0, y + 10.0));
        }
    }
    let title = text(&format!("{} ({})", table.title, table.unit), 12.0, 20.0).set("font-weight", "bold");
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("font-family", "sans-serif")
        .set("font-size", 12)
        .add(rectangle(0.0, 0.0, WIDTH, height, 0).set("fill", "#ffffff"))
        .add(title);
    let mut x = 12.0;
    for (series, name) in table.series.iter().enumerate() {
        document.append(rectangle(x, 31.0, 12.0, 12.0, series));
        document.append(text(name, x + 17.0, 41.0));
        // Letters are about 7 wide.
        x += 41.0 + 7.0 * name.chars().count() as f64;
    }
    format!("{}\n", document.add(bars))
}

fn rectangle(x: f64, y: f64, width: f64, height: f64, series: usize) -> Rectangle {
    let colour = COLOURS.get(series).copied().unwrap_or("#000000");
    let place = Rectangle::new().set("x", rounded(x)).set("y", rounded(y));
    place.set("width", rounded(width)).set("height", rounded(height)).set("fill", colour)
}

fn text(content: &str, x: f64, y: f64) -> Text {
    Text::new(content).set("x", rounded(x)).set("y", rounded(y)).set("fill", "#1b1f23")
}

/// To a tenth, so that figures are the same on every machine.
fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

#[test]
fn bars_are_as_long_as_their_numbers() {
    let text = "title: A < B\nunit: us\ncommand: c\n\nwhere,before,after\nTLS,5,10\nHTTP,,2.5\n";
    let drawn = draw(&Table::parse(text).expect("a table"));
    let document = roxmltree::Document::parse(&drawn).expect("XML");
    let bars = document.descendants().filter(|node| {
        node.has_tag_name("rect") && node.parent().is_some_and(|parent| parent.has_tag_name("g"))
    });
    let lengths: Vec<_> = bars.filter_map(|node| node.attribute("width")?.parse::<f64>().ok()).collect();
    assert_eq!(lengths, [LONGEST / 2.0, LONGEST, LONGEST / 4.0].map(rounded));
    let texts: String = document.descendants().filter_map(|node| node.text()).collect();
    for part in ["A < B (us)", "before", "after", "TLS", "HTTP", "2.5"] {
        assert!(texts.contains(part), "{part} is missing in {texts}");
    }
}
