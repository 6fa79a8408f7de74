//! A plot of executions over CPUs, as SVG: executions on a logarithmic scale, searches that were cut
//! as a hollow mark at what they came to.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// What one scenario took.
pub struct Line {
    pub name: &'static str,
    /// CPUs, and executions of the complete search.
    pub complete: Vec<(usize, u64)>,
    /// CPUs, and executions when the search was cut.
    pub cut: Option<(usize, u64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
/// Of the plot itself.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 690.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 290.0;
/// Told apart without colours too: by the order of the legend, and the dashes.
const STYLES: [(&str, &str); 4] =
    [("#1b6ca8", "none"), ("#b8432f", "8 3"), ("#3c7a3c", "2 3"), ("#7a4f9a", "10 3 2 3")];

pub fn svg(lines: &[Line], cpus: RangeInclusive<usize>) -> String {
    let most = lines.iter().flat_map(|line| line.complete.iter().chain(&line.cut));
    let decades = most.map(|(_, executions)| executions.max(&1).ilog10() + 1).max().unwrap_or(1);
    let (first, last) = (*cpus.start(), *cpus.end());
    let x = |cpus: usize| LEFT + (RIGHT - LEFT) * (cpus - first) as f64 / (last - first) as f64;
    let y = |executions: u64| {
        let share = (executions.max(1) as f64).log10() / f64::from(decades);
        BOTTOM - (BOTTOM - TOP) * share
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-10 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Executions of a complete search, by CPUs</title>\n\
         <rect x=\"-10\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for decade in 0..=decades {
        let (executions, at) = (10u64.pow(decade), y(10u64.pow(decade)));
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{executions}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for cpus in cpus {
        let (at, under) = (x(cpus), BOTTOM + 20.0);
        let _ = writeln!(
            out,
            "<text x=\"{at:.1}\" y=\"{under}\" text-anchor=\"middle\">{cpus} CPUs</text>"
        );
    }
    for (number, line) in lines.iter().enumerate() {
        draw(&mut out, line, number, &|(cpus, executions)| (x(cpus), y(executions)));
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, line: &Line, number: usize, at: &dyn Fn((usize, u64)) -> (f64, f64)) {
    let (colour, dashes) = STYLES[number % STYLES.len()];
    let points: Vec<(f64, f64)> = line.complete.iter().chain(&line.cut).map(|p| at(*p)).collect();
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let stroke = format!("stroke=\"{colour}\" stroke-width=\"2\"");
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" {stroke} stroke-dasharray=\"{dashes}\"/>",
        path.join(" ")
    );
    for (index, (x, y)) in points.iter().enumerate() {
        let fill = if index < line.complete.len() { colour } else { "white" };
        let _ =
            writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{fill}\" {stroke}/>");
    }
    let legend = BOTTOM + 45.0 + 20.0 * number as f64;
    let _ = writeln!(
        out,
        "<path d=\"M{LEFT} {legend}h40\" {stroke} stroke-dasharray=\"{dashes}\"/>\
         <text x=\"{}\" y=\"{}\">{}</text>",
        LEFT + 50.0,
        legend + 4.0,
        line.name
    );
}
