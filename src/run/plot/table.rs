//! The diagram of a table: a CSV file whose other columns are drawn over the first.
//!
//! ```text
//! # title: Fenton–Karma: size of the field
//! # y: seconds for 1,000 steps
//! # logarithmic: x y
//! cells along a side,isochrone,seed on a T4
//! 64,0.00222,0.193
//! ```
//! Lines that begin with `#` are comments, of which these three say how to draw. The first row names
//! the first axis and the series; a series called "ideal" is drawn dashed. Fields may be empty, and
//! quoted (RFC 4180). Where the first column holds words, the values are bars in groups.

use std::path::Path;

use super::{Offer, Style};
use crate::error::{Error, Result};
use crate::plot::axis::{Axis, bounds};
use crate::plot::canvas::{Anchor, Canvas};
use crate::plot::chart::{Chart, Mark, Series, TICK};
use crate::plot::colours::{BLACK, of_group};
use crate::plot::map::short_number;
use crate::plot::marks::DISTINCT;

/// At most so many places of x are all marks of its axis.
const MARKED: usize = 12;

/// Room for all bars of a group, of the distance of groups.
const GROUP: f64 = 0.8;

/// The picture of the table in `source`.
pub fn offers(source: &Path) -> Result<Vec<Offer>> {
    let table = Table::read(source)?;
    let draw = move |style: &Style| table.png(style);
    Ok(vec![Offer::new(
        "table",
        "the table as a diagram",
        true,
        &[],
        draw,
    )])
}

/// Whether `path` is called like a table.
pub fn is_called_so(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("csv"))
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Table {
    title: String,
    y: String,
    /// Whether the axes are logarithmic: x, y.
    logarithmic: [bool; 2],
    headings: Vec<String>,
    /// The first column.
    names: Vec<String>,
    /// A row for each name: the numbers of the other columns, where there are any.
    rows: Vec<Vec<Option<f64>>>,
}

impl Table {
    /// # Errors
    /// [`Error::BadFile`] with the line, where a row has too many or too few fields, or one that is
    /// no number.
    fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", &e))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Error::bad_file(path, "file", "is no text in UTF-8", "save the table as CSV")
        })?;
        let mut table = Self::default();
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            if let Some(comment) = line.strip_prefix('#') {
                table.comment(comment);
            } else if !line.trim().is_empty() {
                table.row(line).map_err(|problem| {
                    let remedy = "a table has names in its first row, and below them numbers with \
                                  a point, separated by commas; a field may be empty";
                    Error::bad_file(path, format!("line {number}"), problem, remedy)
                })?;
            }
        }
        if table.rows.iter().flatten().all(Option::is_none) {
            let remedy = "below the row of names, give rows of numbers";
            return Err(Error::bad_file(path, "file", "has no numbers", remedy));
        }
        Ok(table)
    }

    fn comment(&mut self, text: &str) {
        let Some((key, value)) = text.split_once(':') else {
            return;
        };
        let value = value.trim();
        match key.trim() {
            "title" => self.title = value.into(),
            "y" => self.y = value.into(),
            "logarithmic" => {
                let named = |axis: &str| value.split_whitespace().any(|word| word == axis);
                self.logarithmic = [named("x"), named("y")];
            }
            _ => {}
        }
    }

    /// Takes the headings, or a row below them; what is wrong with it.
    fn row(&mut self, line: &str) -> std::result::Result<(), String> {
        let fields = fields(line)?;
        if self.headings.is_empty() {
            if fields.len() < 2 {
                return Err("names fewer than two columns".into());
            }
            self.headings = fields;
            return Ok(());
        }
        if fields.len() != self.headings.len() {
            let (n, m) = (fields.len(), self.headings.len());
            return Err(format!("has {n} fields below {m} names"));
        }
        let mut numbers = Vec::with_capacity(fields.len() - 1);
        for (field, heading) in fields.iter().zip(&self.headings).skip(1) {
            let number = field.parse::<f64>().ok().filter(|x| x.is_finite());
            if number.is_none() && !field.is_empty() {
                return Err(format!("{heading}: {field:.40?} is no number"));
            }
            numbers.push(number);
        }
        self.names.push(fields[0].clone());
        self.rows.push(numbers);
        Ok(())
    }

    /// Each series: its name, and its value in every row.
    fn columns(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = Option<f64>> + Clone)> {
        let of = |c: usize| self.rows.iter().map(move |row| row[c]);
        let names = self.headings[1..].iter().enumerate();
        names.map(move |(c, name)| (name.as_str(), of(c)))
    }

    /// The first column, where it holds numbers alone.
    fn numbers(&self) -> Option<Vec<f64>> {
        self.names.iter().map(|x| x.parse().ok()).collect()
    }

    /// Curves over numbers, or bars over words.
    fn chart(&self) -> Chart {
        match self.numbers() {
            Some(x) => self.curves(&x),
            None => self.bars(),
        }
    }

    fn png(&self, style: &Style) -> Result<Vec<u8>> {
        let chart = self.chart();
        let mut canvas = Canvas::new(style.width, style.width * 5 / 8);
        let whole = canvas.whole();
        chart.draw(&mut canvas, whole)?;
        // Bars bear their values, since their length on a logarithmic axis says little.
        let inner = chart.inner(&canvas, whole);
        for bar in (chart.series.iter())
            .filter(|s| s.mark == Mark::Boxes)
            .flat_map(|s| s.points.chunks_exact(2))
        {
            let middle = chart.x.position(0.5 * (bar[0][0] + bar[1][0]));
            let top = chart.y.position(bar[1][1].max(bar[0][1]));
            let at = [
                inner.left + (middle * f64::from(inner.width)) as i32,
                inner.bottom() - (top * f64::from(inner.height)) as i32 - canvas.points(14.0),
            ];
            canvas.text(at, TICK, Anchor::Centre, BLACK, &short_number(bar[1][1]))?;
        }
        canvas.image().png()
    }

    fn curves(&self, x: &[f64]) -> Chart {
        let series = self.columns().enumerate().map(|(i, (name, values))| {
            let points = x.iter().zip(values).filter_map(|(x, y)| Some([*x, y?]));
            let is_ideal = name == "ideal";
            Series {
                name: name.into(),
                points: points.collect(),
                mark: if is_ideal {
                    Mark::Dashed
                } else {
                    DISTINCT[i % DISTINCT.len()]
                },
                colour: if is_ideal { [150; 3] } else { of_group(i) },
            }
        });
        let mut axis = match self.logarithmic[0] {
            true => Axis::logarithmic(&self.headings[0], x),
            false => Axis::around(&self.headings[0], x, &[]),
        };
        let hidden: Vec<String> = (x.iter().filter(|x| !axis.shows(**x)))
            .map(f64::to_string)
            .collect();
        if !hidden.is_empty() {
            tracing::warn!(
                "not shown: {} = {}, which the logarithmic axis does not have",
                self.headings[0],
                hidden.join(", ")
            );
        }
        let whole = |x: &f64| x.fract() == 0.0 && x.abs() < 1e5;
        if x.len() <= MARKED && x.iter().all(whole) {
            let shown = x.iter().filter(|x| axis.shows(**x));
            let ticks: Vec<_> = shown
                .map(|x| (*x, x.to_string().replace('-', "−")))
                .collect();
            axis = axis.with_ticks(ticks.into_iter());
        }
        self.over(axis, self.y_axis(false), series.collect())
    }

    fn bars(&self) -> Chart {
        let count = self.headings.len() - 1;
        let width = GROUP / count as f64;
        let floor = self.y_axis(true).low.max(0.0);
        let series = self.columns().enumerate().map(|(i, (name, values))| {
            let left = |k: usize| k as f64 - 0.5 * GROUP + i as f64 * width;
            let corners = values.enumerate().filter_map(move |(k, y)| {
                // A little apart.
                let (from, to) = (left(k) + 0.02 * width, left(k) + 0.98 * width);
                Some([[from, floor], [to, y?]])
            });
            Series {
                name: name.into(),
                points: corners.flatten().collect(),
                mark: Mark::Boxes,
                colour: of_group(i),
            }
        });
        let groups = self.names.len() as f64;
        let names = (0..).zip(&self.names);
        let names = names.map(|(k, name)| (f64::from(k), name.clone()));
        let x = Axis::over(&self.headings[0], -0.6, groups - 0.4).with_ticks(names);
        self.over(x, self.y_axis(true), series.collect())
    }

    /// The second axis; of `bars` with room for their values, and from a power of ten.
    fn y_axis(&self, bars: bool) -> Axis {
        let label = match (&self.headings[..], self.y.is_empty()) {
            ([_, only], true) => only,
            _ => &self.y,
        };
        let values: Vec<f64> = self.rows.iter().flatten().filter_map(|y| *y).collect();
        match (self.logarithmic[1], bars) {
            (true, false) => Axis::logarithmic(label, &values),
            (false, false) => Axis::around(label, &values, &[0.0]),
            (true, true) => {
                let [low, high] = bounds(values.into_iter().filter(|y| *y > 0.0));
                let power = 10f64.powf((0.99 * low.max(f64::MIN_POSITIVE)).log10().floor());
                let mut axis = Axis::logarithmic(label, &[power, high * (high / power).powf(0.12)]);
                axis.low = power;
                axis
            }
            (false, true) => {
                let [low, high] = bounds(values.into_iter().chain([0.0]));
                Axis::over(label, 1.08 * low, 1.08 * high)
            }
        }
    }

    fn over(&self, x: Axis, y: Axis, mut series: Vec<Series>) -> Chart {
        if let ([only], true) = (&mut series[..], self.y.is_empty()) {
            // Its name stands beside the axis.
            only.name.clear();
        }
        Chart {
            title: self.title.clone(),
            x,
            y,
            series,
            aspect: None,
        }
    }
}

/// Fields of a line of CSV, without blanks around them.
fn fields(line: &str) -> std::result::Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = fields.len() - 1;
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                fields[last].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields[last].push(letter),
        }
    }
    if quoted {
        return Err("a quotation mark is not closed".into());
    }
    Ok(fields.into_iter().map(|f| f.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        Table::read(&path)
    }

    #[test]
    fn columns_become_curves() {
        let text = "\u{feff}# title: a \"title\"\n# made by hand\n# y: seconds\n# logarithmic: x\n\
                    \"n, cells\",ours,ideal\n64, 0.5 ,1\n\n128,,0.5\n256,0.125,\"0.25\"\n";
        let chart = table(text).unwrap().chart();
        assert_eq!(chart.title, "a \"title\"");
        assert_eq!((&*chart.x.label, &*chart.y.label), ("n, cells", "seconds"));
        assert!(chart.x.logarithmic && !chart.y.logarithmic);
        let [ours, ideal] = &chart.series[..] else {
            panic!("{:?}", chart.series);
        };
        assert_eq!(ours.points, [[64.0, 0.5], [256.0, 0.125]]);
        assert_eq!(ideal.points[1], [128.0, 0.5]);
        assert_eq!((&*ours.name, ideal.mark), ("ours", Mark::Dashed));
        let marks: Vec<&str> = chart.x.ticks.iter().map(|t| &*t.label).collect();
        assert_eq!(marks, ["64", "128", "256"]);
    }

    #[test]
    fn words_become_groups_of_bars() {
        let text = "# logarithmic: y\nmode,a,b\nadjoint,2,10\ntangent,,100\n";
        let chart = table(text).unwrap().chart();
        let names: Vec<&str> = chart.x.ticks.iter().map(|t| &*t.label).collect();
        assert_eq!(names, ["adjoint", "tangent"]);
        let b = &chart.series[1];
        assert_eq!(b.mark, Mark::Boxes);
        // On the right of its group, from the low end of the axis.
        assert!(b.points[0][0] > 0.0 && b.points[1][0] < 0.4, "{b:?}");
        assert_eq!((b.points[0][1], b.points[1][1]), (chart.y.low, 10.0));
        assert_eq!(b.points[3][1], 100.0);
        assert_eq!(chart.series[0].points.len(), 2);
    }

    #[test]
    fn one_column_names_the_axis() {
        let chart = table("t (ms),u (1)\n0,1\n1,2\n").unwrap().chart();
        assert_eq!((&*chart.y.label, &*chart.series[0].name), ("u (1)", ""));
    }

    #[test]
    fn what_is_no_table_is_told() {
        for (text, words) in [
            ("a,b\n1,2\n3\n", ["line 3", "1 fields below 2"]),
            ("# x\na,b\n1,two\n", ["line 3", "b: \"two\""]),
            ("a,b\n1,inf\n", ["line 2", "\"inf\""]),
            ("a,\"b\n1,2\n", ["line 1", "not closed"]),
            ("a\n1\n", ["line 1", "fewer than two"]),
            ("a,b\n1,\n", ["file", "no numbers"]),
            ("", ["file", "no numbers"]),
        ] {
            let e = table(text).unwrap_err();
            assert_eq!(e.exit_code(), 65);
            assert!(words.iter().all(|w| e.to_string().contains(w)), "{e}");
        }
    }
}
