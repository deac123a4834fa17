//! Pictures of what was simulated, as SVG. They need no fonts and no system libraries to be made, are the same for the same
//! report, and follow the reader's choice of a light or a dark page.

use super::report::{Report, Round, millis};
use plotters::{
    coord::Shift,
    prelude::*,
    style::{
        RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

/// The size of one chart, in the units of the picture.
const CHART: (u32, u32) = (520, 340);
/// Ink, lines and paper for a light page. The style sheet of a picture replaces them on a dark one.
const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const GRID: RGBColor = RGBColor(0xd1, 0xd9, 0xe0);
const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
const DARK: &str = "<style>@media (prefers-color-scheme: dark) {\
    [fill=\"#FFFFFF\"]{fill:#0d1117} [fill=\"#1F2328\"]{fill:#e6edf3} [stroke=\"#1F2328\"]{stroke:#e6edf3} \
    [stroke=\"#D1D9E0\"]{stroke:#30363d}}</style>";
/// Colours of series: far enough from each other and from both papers, also for most who see fewer colours.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x1f, 0x83, 0xd6),
    RGBColor(0xe0, 0x6c, 0x00),
    RGBColor(0x1d, 0x9a, 0x6c),
    RGBColor(0xb0, 0x5c, 0xc8),
    RGBColor(0xcf, 0x3f, 0x4f),
    RGBColor(0x8a, 0x8f, 0x98),
];

/// One chart: a title, axes with units, and series.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What goes to the right, with its unit.
    pub x: String,
    /// What goes up, with its unit.
    pub y: String,
    /// What is drawn. A chart with more than one series has a legend.
    pub series: Vec<Series>,
    /// The least that the upper end of the vertical axis is.
    pub top: f64,
}

/// What is drawn in one colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub mark: Mark,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A line through the points.
    Line,
    /// A line with a dot at each point.
    Dots,
    /// A bar from 0 to each point, one wide.
    Bars,
}

/// Draws charts beneath each other, or two in a row if there are more than two.
///
/// # Errors
/// If a chart cannot be drawn, which is not known to happen.
pub fn draw(charts: &[Chart]) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let columns = if charts.len() > 2 { 2 } else { 1 };
    let rows = charts.len().div_ceil(columns).max(1);
    let size = (CHART.0 * columns as u32, CHART.1 * rows as u32);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&PAPER).map_err(drawing)?;
        for (area, chart) in root.split_evenly((rows, columns)).iter().zip(charts) {
            chart.draw(area)?;
        }
        root.present().map_err(drawing)?;
    }
    let body = svg.find('>').map_or(0, |end| end + 1);
    svg.insert_str(body, DARK);
    Ok(svg)
}

/// The four charts of a run: delivery over time, hops, redundancy, and time to everybody, message by message.
///
/// # Errors
/// As [`draw`].
pub fn picture(report: &Report) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let name = format!("{} nodes", report.scenario.nodes);
    let both = [(name.as_str(), report)];
    draw(&[delivery(&both), hops(&both), redundancy(&both), duration(&both)])
}

/// Delivery over time: after how long which share of the nodes has a message, as the mean of all messages.
#[must_use]
pub fn delivery(reports: &[(&str, &Report)]) -> Chart {
    let series = |(name, report): &(&str, &Report)| {
        let shares = (0..=100).map(|percent| f64::from(percent) / 100.0);
        let point = |share: f64| {
            // Where some messages did not get that far, the mean would be one of the others only.
            let times: Option<Vec<f64>> = report
                .rounds
                .iter()
                .map(|round| round.delays.at(share).map(millis))
                .collect();
            let times = times.filter(|times| !times.is_empty())?;
            Some((times.iter().sum::<f64>() / times.len() as f64, share * 100.0))
        };
        Series {
            name: (*name).into(),
            mark: Mark::Line,
            points: shares.filter_map(point).collect(),
        }
    };
    Chart {
        title: "Delivery over time".into(),
        x: "milliseconds after publication, mean of all messages".into(),
        y: "nodes that have it, %".into(),
        series: reports.iter().map(series).collect(),
        top: 100.0,
    }
}

/// How far from the sender the nodes are in the tree.
#[must_use]
pub fn hops(reports: &[(&str, &Report)]) -> Chart {
    let series = |(name, report): &(&str, &Report)| {
        let most = report
            .rounds
            .iter()
            .map(|round| round.hops.len())
            .max()
            .unwrap_or_default();
        let all: u64 = report.rounds.iter().flat_map(|round| &round.hops).sum();
        let at = |hop: usize| {
            report
                .rounds
                .iter()
                .filter_map(|round| round.hops.get(hop))
                .sum::<u64>()
        };
        Series {
            name: (*name).into(),
            mark: if reports.len() == 1 { Mark::Bars } else { Mark::Dots },
            points: (1..most)
                .map(|hop| (hop as f64, 100.0 * at(hop) as f64 / all.max(1) as f64))
                .collect(),
        }
    };
    Chart {
        title: "How far from the sender".into(),
        x: "hops".into(),
        y: "deliveries, %".into(),
        series: reports.iter().map(series).collect(),
        top: 0.0,
    }
}

/// Relative message redundancy, message by message.
#[must_use]
pub fn redundancy(reports: &[(&str, &Report)]) -> Chart {
    Chart {
        title: "Redundancy by message".into(),
        x: "message".into(),
        y: "payload sends per node, less one".into(),
        series: by_message(reports, |round| Some(round.redundancy())),
        top: 0.1,
    }
}

/// Time until everybody has a message, message by message.
#[must_use]
pub fn duration(reports: &[(&str, &Report)]) -> Chart {
    Chart {
        title: "Time to everybody".into(),
        x: "message".into(),
        y: "milliseconds".into(),
        series: by_message(reports, |round| round.delays.at(1.0).map(millis)),
        top: 0.0,
    }
}

fn by_message(reports: &[(&str, &Report)], of: impl Fn(&Round) -> Option<f64>) -> Vec<Series> {
    let series = |(name, report): &(&str, &Report)| Series {
        name: (*name).into(),
        mark: Mark::Dots,
        points: (1..)
            .zip(&report.rounds)
            .filter_map(|(number, round)| Some((f64::from(number), of(round)?)))
            .collect(),
    };
    reports.iter().map(series).collect()
}

impl Chart {
    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        DB::ErrorType: 'static,
    {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let (left, right) = points().fold((f64::MAX, f64::MIN), |(least, most), (x, _)| {
            (least.min(*x), most.max(*x))
        });
        let bars = self.series.iter().any(|series| series.mark == Mark::Bars);
        let (left, right) = match bars {
            true => (left.min(right) - 0.5, right + 0.5),
            // Time begins at 0; an axis of nothing still has a length.
            false => (left.clamp(0.0, 1.0), right.max(left.clamp(0.0, 1.0) + 1.0)),
        };
        let most = points().map(|(_, y)| *y).fold(self.top, f64::max);
        let least = points().map(|(_, y)| *y).fold(0.0, f64::min);
        let top = if most > self.top { most * 1.08 } else { most.max(1e-9) };

        let text = |size: u32| ("sans-serif", size).into_font().color(&INK);
        let centre = Pos::new(HPos::Center, VPos::Top);
        area.draw(&Text::new(
            self.title.as_str(),
            (area.dim_in_pixel().0 as i32 / 2, 10),
            text(20).pos(centre),
        ))
        .map_err(drawing)?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(40)
            .margin_right(22)
            .margin_bottom(6)
            .margin_left(4)
            .x_label_area_size(46)
            .y_label_area_size(66)
            .build_cartesian_2d(left..right, least..top)
            .map_err(drawing)?;
        let whole = |value: &f64| match value.abs() {
            0.0 => "0".into(),
            ..1.0 => format!("{value:.2}"),
            ..10.0 if value.fract() != 0.0 => format!("{value:.1}"),
            _ => format!("{value:.0}"),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_desc(self.x.as_str())
            .y_desc(self.y.as_str())
            .x_labels(8)
            .y_labels(6)
            .x_label_formatter(&whole)
            .y_label_formatter(&whole)
            .axis_style(GRID)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .label_style(text(15))
            .axis_desc_style(text(16))
            .draw()
            .map_err(drawing)?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle().copied()) {
            let line = colour.stroke_width(2);
            let points = series.points.iter().copied();
            let drawn = match series.mark {
                Mark::Bars => chart
                    .draw_series(points.map(|(x, y)| Rectangle::new([(x - 0.4, 0.0), (x + 0.4, y)], colour.filled()))),
                Mark::Line | Mark::Dots => chart.draw_series(LineSeries::new(points, line)),
            };
            drawn
                .map_err(drawing)?
                .label(series.name.as_str())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], line));
            if series.mark == Mark::Dots {
                let points = series.points.iter().copied();
                chart
                    .draw_series(points.map(|point| Circle::new(point, 3, colour.filled())))
                    .map_err(drawing)?;
            }
        }
        if self.series.len() > 1 {
            chart
                .configure_series_labels()
                .position(self.legend(right, top))
                .background_style(PAPER.filled())
                .border_style(GRID)
                .label_font(text(15))
                .margin(8)
                .draw()
                .map_err(drawing)?;
        }
        Ok(())
    }

    /// The corner with the fewest points beneath the legend.
    fn legend(&self, right: f64, top: f64) -> SeriesLabelPosition {
        let corners = [
            (SeriesLabelPosition::UpperRight, true, true),
            (SeriesLabelPosition::LowerRight, true, false),
            (SeriesLabelPosition::UpperLeft, false, true),
            (SeriesLabelPosition::LowerLeft, false, false),
        ];
        let points = || self.series.iter().flat_map(|series| &series.points);
        let covered = |(_, to_right, upper): &(SeriesLabelPosition, bool, bool)| {
            points()
                .filter(|(x, y)| (*x > right / 2.0) == *to_right && (*y > top * 0.6) == *upper)
                .count()
        };
        let best = corners.into_iter().min_by_key(covered);
        best.map_or(SeriesLabelPosition::UpperRight, |(corner, ..)| corner)
    }
}

/// Errors of the drawing library, which may hold its drawing, as text.
fn drawing(error: impl std::fmt::Display) -> Box<dyn std::error::Error + Send + Sync> {
    format!("cannot draw: {error}").into()
}
