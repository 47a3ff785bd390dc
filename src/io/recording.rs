//! What a simulation records as it goes, written while it computes.
//!
//! A thread of its own writes, fed through a short queue: memory does not grow with the run, and a
//! disk that is too slow slows the run down. Rows are compressed as they come.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::hdf5::ResultFile;
use super::segments::Segments;
use super::series::{Growing, Series, Values};
use super::xdmf::NumberType;
use super::xdmf_cells::Frames;
use crate::error::{Error, Result};
use crate::monodomain::grid::Grid;

/// File that complete recordings end in.
const RESULT: &str = "fk.h5";
/// Frames that may wait while one is written.
const QUEUE: usize = 2;

/// What is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    pub grid: Grid,
    /// Variables of frames ("u", "v"); none: no frames.
    pub frames: Vec<String>,
    /// Number of probes; 0: none.
    pub probes: usize,
    /// Number of electrodes of the pseudo-ECG; 0: none.
    pub electrodes: usize,
    /// Name and unit of the columns of `/fk/tip`, the first being time; none: no tips.
    pub tip: Vec<(String, String)>,
    /// Level of deflate, 0 to 9.
    pub compression: u8,
}

/// Where the series of each recorder begin in the list of all.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    frames: Option<usize>,
    probes: Option<usize>,
    ecg: Option<usize>,
    tip: Option<usize>,
}

impl Layout {
    fn series(&self) -> (Vec<Series>, Places) {
        let mut series = Vec::new();
        let mut places = Places::default();
        let mut add = |dataset: &str, row: Vec<usize>, number, unit: &str| {
            series.push(Series {
                dataset: dataset.into(),
                row,
                number,
                unit: unit.into(),
                columns: None,
                compression: self.compression,
            });
            series.len() - 1
        };
        if !self.frames.is_empty() {
            places.frames = Some(add("/fk/frames/time", vec![], NumberType::F64, "ms"));
            for name in &self.frames {
                let dataset = format!("/fk/frames/{name}");
                let shape = self.grid.file_shape().to_vec();
                add(&dataset, shape, NumberType::F32, "1");
            }
        }
        if self.probes > 0 {
            places.probes = Some(add("/fk/probes/time", vec![], NumberType::F64, "ms"));
            add("/fk/probes/u", vec![self.probes], NumberType::F64, "1");
        }
        if self.electrodes > 0 {
            places.ecg = Some(add("/fk/ecg/time", vec![], NumberType::F64, "ms"));
            let row = vec![self.electrodes];
            add("/fk/ecg/potential", row, NumberType::F64, "mm²/ms");
        }
        if !self.tip.is_empty() {
            let of = |part: fn(&(String, String)) -> &str| {
                let parts: Vec<&str> = self.tip.iter().map(part).collect();
                parts.join(", ")
            };
            let unit = of(|(_, unit)| unit);
            let at = add("/fk/tip", vec![self.tip.len()], NumberType::F64, &unit);
            places.tip = Some(at);
            series[at].columns = Some(of(|(name, _)| name));
        }
        (series, places)
    }
}

/// A recording in a folder, on one rank. Dropped before [`finish`](Self::finish), it leaves the
/// segments that are complete.
pub struct Recording {
    folder: PathBuf,
    layout: Layout,
    series: Arc<[Series]>,
    places: Places,
    /// Rows of f64 that wait for more.
    waiting: Vec<Vec<f64>>,
    segments: Segments,
    writer: Option<Writer>,
    /// Why the writer ended: path, action, cause.
    failed: Option<(PathBuf, String, String)>,
}

struct Writer {
    messages: SyncSender<Message>,
    thread: JoinHandle<Result<Option<Growing>>>,
}

enum Message {
    /// Rows for series by their number.
    Rows(Vec<(usize, Values)>),
    /// Completes the file; answers with its rows, `None` where there is no file.
    Close(SyncSender<Option<Vec<usize>>>),
}

impl Recording {
    /// Begins a recording in `folder`, after the `segments` of an interrupted one (the default:
    /// none). Other segments there are removed.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] and [`Error::MissingInput`] where a segment lacks what was
    /// recorded.
    pub fn begin(folder: &Path, layout: Layout, segments: Segments) -> Result<Self> {
        let (series, places) = layout.series();
        let series: Arc<[Series]> = series.into();
        let segments = segments.take_up(folder, &series, RESULT)?;
        let (messages, received) = sync_channel(QUEUE);
        let (of_thread, first) = (Arc::clone(&series), segments.clone());
        let in_folder = folder.to_owned();
        let thread = std::thread::Builder::new()
            .name("recording".into())
            .spawn(move || write(&received, &in_folder, of_thread, first))
            .map_err(|e| Error::io(folder, "start a thread to write", &e))?;
        Ok(Self {
            folder: folder.to_owned(),
            layout,
            waiting: vec![Vec::new(); series.len()],
            series,
            places,
            segments,
            writer: Some(Writer { messages, thread }),
            failed: None,
        })
    }

    /// Adds a frame: the variables of the layout in its order, one value per cell.
    ///
    /// # Errors
    /// [`Error::Io`] of this or an earlier row; so of all methods here.
    pub fn frame(&mut self, time: f64, variables: Vec<Vec<f32>>) -> Result<()> {
        let at = self.place(self.places.frames, "frames")?;
        let cells = self.layout.grid.cells();
        if variables.len() != self.layout.frames.len()
            || variables.iter().any(|values| values.len() != cells)
        {
            return Err(Error::Bug("a frame does not fit the grid".into()));
        }
        let mut rows = vec![(at, Values::F64(vec![time]))];
        let variables = variables.into_iter().map(Values::F32);
        rows.extend((at + 1..).zip(variables));
        self.send(Message::Rows(rows))
    }

    /// Adds u at the probes.
    pub fn probes(&mut self, time: f64, u: &[f64]) -> Result<()> {
        let at = self.place(self.places.probes, "probes")?;
        self.add(at, &[time])?;
        self.add(at + 1, u)
    }

    /// Adds the potential at the electrodes.
    pub fn ecg(&mut self, time: f64, potential: &[f64]) -> Result<()> {
        let at = self.place(self.places.ecg, "an ECG")?;
        self.add(at, &[time])?;
        self.add(at + 1, potential)
    }

    /// Adds tips: rows with the columns of the layout, any number of them.
    pub fn tips(&mut self, rows: &[f64]) -> Result<()> {
        let at = self.place(self.places.tip, "tips")?;
        self.add(at, rows)
    }

    /// Completes what was recorded since the last call as a segment on the disk. The segments so
    /// far belong into a checkpoint.
    pub fn close_segment(&mut self) -> Result<Segments> {
        self.send_waiting()?;
        let (answer, answered) = sync_channel(1);
        self.send(Message::Close(answer))?;
        match answered.recv() {
            Ok(Some(rows)) => self.segments.push(rows),
            Ok(None) => {}
            Err(_) => return Err(self.failure()),
        }
        Ok(self.segments.clone())
    }

    /// Ends the recording in `fk.h5`, to which `add` adds what is known at the end, with an XDMF
    /// file beside; the segments are removed once it is complete.
    pub fn finish(mut self, add: impl FnOnce(&mut ResultFile) -> Result<()>) -> Result<()> {
        self.send_waiting()?;
        let path = self.folder.join(RESULT);
        let open = self.end()?;
        let recorded = match open {
            // Without checkpoints, the one segment becomes the result.
            Some(mut only) if self.segments.is_empty() => {
                only.rename(&path);
                only
            }
            last => {
                if let Some(last) = last {
                    self.segments.push(last.rows().to_vec());
                    last.into_file()?.finish()?;
                }
                let series = Arc::clone(&self.series);
                self.segments.merge(&self.folder, &path, series)?
            }
        };
        let frames = match self.places.frames {
            Some(at) => Some(Frames {
                times: recorded.read_f64(at)?,
                variables: self.layout.frames.clone(),
            }),
            None => None,
        };
        let mut file = recorded.into_file()?;
        file.cells(&self.layout.grid, frames);
        add(&mut file)?;
        file.finish()?;
        Segments::remove_all(&self.folder)
    }

    fn place(&self, place: Option<usize>, what: &str) -> Result<usize> {
        place.ok_or_else(|| Error::Bug(format!("the layout has no {what}")))
    }

    /// Keeps rows until they fill a chunk.
    fn add(&mut self, at: usize, values: &[f64]) -> Result<()> {
        let series = &self.series[at];
        if !values.len().is_multiple_of(series.row_len()) {
            let problem = format!("{}: {} values in rows", series.dataset, values.len());
            return Err(Error::Bug(problem));
        }
        let full = series.chunk()[0] * series.row_len();
        self.waiting[at].extend_from_slice(values);
        if self.waiting[at].len() >= full {
            self.send_waiting()
        } else {
            self.check()
        }
    }

    fn send_waiting(&mut self) -> Result<()> {
        let rows: Vec<_> = (self.waiting.iter_mut().enumerate())
            .filter(|(_, values)| !values.is_empty())
            .map(|(at, values)| (at, Values::F64(std::mem::take(values))))
            .collect();
        match rows.is_empty() {
            true => self.check(),
            false => self.send(Message::Rows(rows)),
        }
    }

    fn send(&mut self, message: Message) -> Result<()> {
        self.check()?;
        let sent = self.writer.as_ref().map(|w| w.messages.send(message));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.failure()),
        }
    }

    /// Tells of an error as soon as there is one.
    fn check(&mut self) -> Result<()> {
        let ended = (self.writer.as_ref()).is_none_or(|w| w.thread.is_finished());
        if ended { Err(self.failure()) } else { Ok(()) }
    }

    /// Why the writer ended.
    fn failure(&mut self) -> Error {
        match self.end() {
            Err(e) => e,
            Ok(_) => Error::Bug("recording used after its end".into()),
        }
    }

    /// Ends the writer; the file that is open.
    fn end(&mut self) -> Result<Option<Growing>> {
        if let Some((path, action, cause)) = self.failed.clone() {
            return Err(Error::Io {
                path,
                action,
                cause,
            });
        }
        let Some(Writer { messages, thread }) = self.writer.take() else {
            return Ok(None);
        };
        drop(messages);
        let ended = (thread.join()).unwrap_or_else(|_| Err(Error::Bug("writer panicked".into())));
        if let Err(Error::Io {
            path,
            action,
            cause,
        }) = &ended
        {
            self.failed = Some((path.clone(), action.clone(), cause.clone()));
        }
        ended
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Waits, so that the incomplete file is gone before the process is.
        drop(self.end());
    }
}

/// The writing thread: until all is said, or an error. Returns the file that is open.
fn write(
    messages: &Receiver<Message>,
    folder: &Path,
    series: Arc<[Series]>,
    mut segments: Segments,
) -> Result<Option<Growing>> {
    let mut open: Option<Growing> = None;
    for message in messages {
        match message {
            Message::Rows(rows) => {
                let file = match &mut open {
                    Some(file) => file,
                    None => open.insert(Growing::create(
                        &segments.next(folder),
                        Arc::clone(&series),
                    )?),
                };
                for (at, values) in &rows {
                    file.append(*at, values)?;
                }
            }
            Message::Close(answer) => {
                let mut closed = None;
                if let Some(file) = open.take() {
                    let rows = file.rows().to_vec();
                    file.into_file()?.finish()?;
                    segments.push(rows.clone());
                    closed = Some(rows);
                }
                // Nobody waits for it where the recording was dropped.
                let _ = answer.send(closed);
            }
        }
    }
    Ok(open)
}
