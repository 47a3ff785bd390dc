//! `isochrone plot`: pictures of what a file holds, on rank 0 alone.

mod choices;
mod curves;
mod filaments;
mod frames;
mod grid;
mod grid_pictures;
mod mesh;
mod report;
mod table;
mod tips;

pub use report::simulated;

use std::path::{Path, PathBuf};

use choices::Choice;

use crate::atomic_file::write_atomic;
use crate::cli::PlotArgs;
use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};
use crate::io::dataset_names;
use crate::plot::axis::bounds;
use crate::plot::canvas::Canvas;
use crate::plot::chart::Chart;
use crate::plot::colours::{ColourMap, ColourScale};
use crate::plot::view::{Plane, View};
use crate::run::output::MadeFolder;

/// How pictures look.
#[derive(Debug, Clone)]
pub struct Style {
    /// Pixels.
    pub width: usize,
    pub views: Vec<View>,
    pub cut: Option<Plane>,
    /// ms between isochrones, where chosen.
    pub isochrones: Option<f64>,
    pub colours: ColourMap,
    /// Ends of the colour bar, where chosen.
    pub range: Option<[f64; 2]>,
    /// Frames of an animation each second.
    pub speed: f64,
}

/// Of an animation, unless told.
const FRAMES_A_SECOND: f64 = 10.0;

impl Style {
    /// What the command line asks for.
    fn of(args: &PlotArgs) -> Self {
        // Two opposite sides, a little from above.
        let usual = || {
            [(-120.0, "-120,25"), (60.0, "60,25")].map(|(a, name)| View::from_angles(name, a, 25.0))
        };
        let views = match &args.views[..] {
            [] => usual().to_vec(),
            views => views.to_vec(),
        };
        Self {
            width: args.width,
            views,
            cut: args.cut,
            isochrones: args.isochrones,
            colours: args.colours.unwrap_or_default(),
            range: args.range.map(|(low, high)| [low, high]),
            speed: args.speed.unwrap_or(FRAMES_A_SECOND),
        }
    }

    /// The scale of `values`: over the range that was asked for, else over `usual`, else over them all.
    /// A range that holds none of them is told.
    fn scale(
        &self,
        values: impl Iterator<Item = f64> + Clone,
        usual: Option<[f64; 2]>,
        logarithmic: bool,
    ) -> ColourScale {
        if let Some([low, high]) = self.range {
            let [least, most] = bounds(values.clone());
            if most < low || least > high {
                tracing::warn!(
                    "--range {low},{high} holds none of the values, which are from {least:.4e} to \
                     {most:.4e}"
                );
            }
        }
        ColourScale::of(self.colours, values, self.range.or(usual), logarithmic)
    }
}

/// A picture that a file can give.
pub struct Offer {
    pub name: String,
    /// In a few words.
    pub what: String,
    /// Whether it is drawn unasked.
    pub usual: bool,
    /// What changes it, beside its width.
    pub heeds: &'static [Choice],
    pub draw: Draw,
}

/// Bytes of the file.
type Draw = Box<dyn Fn(&Style) -> Result<Vec<u8>>>;

impl Offer {
    fn new(
        name: &str,
        what: &str,
        usual: bool,
        heeds: &'static [Choice],
        draw: impl Fn(&Style) -> Result<Vec<u8>> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            what: what.into(),
            usual,
            heeds,
            draw: Box::new(draw),
        }
    }

    /// The name of the file beside, or instead of, `source`.
    fn file_name(&self, source: &Path) -> String {
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        let extension = if self.name == ANIMATION { "gif" } else { "png" };
        format!("{stem}-{}.{extension}", self.name)
    }
}

/// With a capital first letter.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// The one picture that is no PNG.
const ANIMATION: &str = "animation";

/// A diagram as a picture of its own.
pub fn chart_png(style: &Style, chart: &Chart) -> Result<Vec<u8>> {
    let mut canvas = Canvas::new(style.width, style.width * 5 / 8);
    let whole = canvas.whole();
    chart.draw(&mut canvas, whole)?;
    canvas.image().png()
}

/// Runs the command. Collective.
pub fn run(args: &PlotArgs, comm: &dyn Communicator) -> Result<()> {
    let done = if comm.rank() == 0 {
        on_root(args).and_then(|text| super::print(&text))
    } else {
        Ok(())
    };
    agree(comm, done)
}

/// Draws, or lists what can be drawn, and says so.
fn on_root(args: &PlotArgs) -> Result<String> {
    let mut text = String::new();
    let mut chosen = Vec::new();
    let mut all = Vec::new();
    for source in sources(&args.file)? {
        let offers = offers(&source)?;
        if args.list {
            text += &format!("{}\n", source.display());
            for offer in &offers {
                let mark = if offer.usual { '*' } else { ' ' };
                text += &format!("{mark} {:<20} {}\n", offer.name, offer.what);
            }
        }
        for offer in offers {
            all.push(offer.name.clone());
            let wanted = match &args.pictures[..] {
                [] => offer.usual,
                names => names.contains(&offer.name),
            };
            if wanted {
                chosen.push((source.clone(), offer));
            }
        }
    }
    if args.list {
        return Ok(text + "* drawn unless --pictures names others\n");
    }
    if let Some(unknown) = args.pictures.iter().find(|name| !all.contains(name)) {
        return Err(Error::Usage {
            problem: format!("--pictures {unknown}: {} has none", args.file.display()),
            remedy: format!("it has {}", all.join(", ")),
        });
    }
    if chosen.is_empty() {
        return Err(Error::BadData {
            what: args.file.display().to_string(),
            problem: "holds nothing that is drawn unasked".into(),
            remedy: match all.is_empty() {
                true => "give a result, a report or a mesh".into(),
                false => format!("give --pictures: it has {}", all.join(", ")),
            },
        });
    }
    let style = Style::of(args);
    let files: Vec<PathBuf> = (chosen.iter())
        .map(|(source, offer)| {
            let folder = args.output.clone();
            let beside = || source.parent().unwrap_or(Path::new("")).to_owned();
            folder.unwrap_or_else(beside).join(offer.file_name(source))
        })
        .collect();
    super::mesh::refuse_any_of(&files, args.overwrite)?;
    let _made = args.output.as_deref().map(MadeFolder::new).transpose()?;
    let made = Choice::made(args);
    let heeded: Vec<Choice> = chosen.iter().flat_map(|(_, o)| o.heeds).copied().collect();
    for option in Choice::idle(&made, &heeded) {
        tracing::warn!("{option} has no effect on any of these pictures");
    }
    for ((_, offer), file) in chosen.iter().zip(files) {
        write_atomic(&file, (offer.draw)(&style)?)?;
        text += &format!("{}: {}", file.display(), offer.what);
        text += &match &Choice::idle(&made, offer.heeds)[..] {
            [] => "\n".to_string(),
            idle => format!(" (without effect here: {})\n", idle.join(", ")),
        };
    }
    Ok(text)
}

/// Files in a folder of results that pictures are made from.
const IN_FOLDERS: [&str; 5] = [
    "inversion.h5",
    "gradient.h5",
    "eikonal.h5",
    "fk.h5",
    "activation.h5",
];

/// The file, or those of a folder of results.
fn sources(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        std::fs::metadata(path).map_err(|e| Error::io(path, "read", &e))?;
        return Ok(vec![path.to_owned()]);
    }
    let named = |name: &str| Some(path.join(name)).filter(|file| file.exists());
    let mut found: Vec<PathBuf> = IN_FOLDERS.iter().filter_map(|name| named(name)).collect();
    found.extend(named("report.json"));
    if found.is_empty() {
        return Err(Error::MissingInput {
            path: path.to_owned(),
            what: "result in the folder".into(),
            remedy: format!(
                "it should hold one of {}, report.json",
                IN_FOLDERS.join(", ")
            ),
        });
    }
    Ok(found)
}

/// What `source` can give.
fn offers(source: &Path) -> Result<Vec<Offer>> {
    let is = |extension: &str| {
        source
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case(extension))
    };
    if is("json") {
        return report::offers(source);
    }
    if table::is_called_so(source) {
        return table::offers(source);
    }
    if !is("h5") && !is("hdf5") {
        return mesh::offers(source, &[]);
    }
    let names = dataset_names(source)?;
    let has = |prefix: &str| names.iter().any(|name| name.starts_with(prefix));
    let mut offers = Vec::new();
    if has("/mesh/") {
        offers.extend(mesh::offers(source, &names)?);
    }
    offers.extend(curves::offers(source, &names)?);
    offers.extend(grid_pictures::offers(source, &names)?);
    if offers.is_empty() {
        return Err(Error::bad_file(
            source,
            "file",
            "holds nothing that pictures are made of",
            "give a result of eikonal, gradient, invert or fk, a mesh, or a report.json",
        ));
    }
    Ok(offers)
}
