//! Draws a sheet of command barcodes to print and hang up: SVG, in modules of 0.35 mm, A4 wide.

use std::fmt::Write as _;

use super::code128;
use crate::decode::profile::{CommandCode, FlowName};
use crate::event::Movement;

/// Millimetres of one module: scanners read 0.25 mm and more at arm's length.
const MODULE_MM: f64 = 0.35;
/// A4, in modules.
const WIDTH: u32 = 600;
const HEIGHT_MIN: u32 = 848;
const COLUMNS: u32 = 2;
const COLUMN: u32 = WIDTH / COLUMNS;
/// The quiet zone on both sides, which must stay white: ten modules, ISO/IEC 15417 section 4.3.5.
const QUIET: u32 = 10;
const ROW: u32 = 76;
const BAR_HEIGHT: u32 = 36;
const TOP: u32 = 60;

/// The command barcodes with their captions.
fn commands(operators: &[String]) -> Vec<(CommandCode, String)> {
    let quantity = |n: u32| CommandCode::Quantity(Some(n.into()));
    let fixed = [
        (CommandCode::Validate, "Done"),
        (CommandCode::Undo, "Undo the last scan"),
        (CommandCode::Discard, "Cancel the unfinished movement"),
        (CommandCode::Cancel, "Cancel the order"),
        (CommandCode::MainMenu, "Start over"),
        (CommandCode::PutInPack, "Put in pack"),
        (CommandCode::NewPack, "New package"),
        (CommandCode::Scrap, "Scrap"),
        (CommandCode::Return, "Return"),
        (CommandCode::Quantity(None), "Quantity follows"),
        (quantity(2), "Quantity 2"),
        (quantity(5), "Quantity 5"),
        (quantity(10), "Quantity 10"),
        (quantity(100), "Quantity 100"),
    ];
    let fixed = fixed
        .into_iter()
        .map(|(command, name)| (command, name.to_owned()));
    let flow = |movement: Movement| {
        (
            CommandCode::Flow(FlowName::BuiltIn(movement)),
            format!("Flow: {}", movement.as_str()),
        )
    };
    let badge = |name: &String| {
        (
            CommandCode::Operator(name.clone()),
            format!("Operator {name}"),
        )
    };
    fixed
        .chain(Movement::ALL.map(flow))
        .chain(operators.iter().map(badge))
        .collect()
}

/// Draws the sheet. The error names an operator that cannot be on it, and why.
pub(super) fn draw_sheet(operators: &[String]) -> Result<String, String> {
    let commands = commands(operators);
    let rows = u32::try_from(commands.len())
        .unwrap_or(u32::MAX / ROW)
        .div_ceil(COLUMNS);
    let height = HEIGHT_MIN.max(TOP + rows * ROW);
    let mm = |modules: u32| f64::from(modules) * MODULE_MM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}mm\" height=\"{}mm\" viewBox=\"0 0 {WIDTH} {height}\">\n\
         <title>Command barcodes of stockrelay</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <g font-family=\"sans-serif\" text-anchor=\"middle\" shape-rendering=\"crispEdges\">\n",
        mm(WIDTH),
        mm(height),
    );
    for (at, (command, name)) in (0..).zip(&commands) {
        let (left, top) = (at % COLUMNS * COLUMN, TOP + at / COLUMNS * ROW);
        draw_barcode(&mut svg, &command.to_string(), name, (left, top))?;
    }
    svg.push_str("</g>\n</svg>\n");
    Ok(svg)
}

/// Draws one barcode in the middle of its column, with its caption above and its text below.
fn draw_barcode(
    svg: &mut String,
    text: &str,
    name: &str,
    (left, top): (u32, u32),
) -> Result<(), String> {
    let wrong = |why| format!("{text} cannot be on the sheet: {why}");
    // A barcode that a scanner would not read back as this command, such as an empty badge, is
    // useless.
    if CommandCode::of(text).is_none_or(|command| command.to_string() != text) {
        return Err(wrong("it is not a command; give a name that is not empty"));
    }
    let widths = code128::widths(text).ok_or_else(|| {
        wrong("only printable ASCII characters are possible; write the name with them")
    })?;
    let width: u32 = widths.iter().sum();
    if width + 2 * QUIET > COLUMN {
        return Err(wrong(
            "it is too long; shorten the name to at most 16 characters",
        ));
    }
    let middle = left + COLUMN / 2;
    let mut x = middle - width / 2;
    let mut path = String::new();
    for (at, width) in widths.into_iter().enumerate() {
        if at % 2 == 0 {
            let _ = write!(path, "M{x} {top}h{width}v{BAR_HEIGHT}h-{width}z");
        }
        x += width;
    }
    let (above, below) = (top - 5, top + BAR_HEIGHT + 13);
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{above}\" font-size=\"13\">{}</text>\n<path d=\"{path}\"/>\n<text x=\"{middle}\" y=\"{below}\" font-size=\"11\">{}</text>",
        escape(name),
        escape(text),
    );
    Ok(())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
