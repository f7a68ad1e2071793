//! Charts as SVG, drawn by plotters and dressed for light, dark and paper.
//!
//! plotters writes colours into the picture; a page that follows the reader's colour scheme needs them
//! in its style sheet. So charts are painted in placeholder colours, one a [`Tone`] and [`Stroke`], and
//! [`theme`] turns each placeholder into a class. A picture that stands alone gets its style sheet with
//! it.

mod axis;
mod canvas;
mod grid;
mod heat;
mod plot;
mod theme;

pub(crate) use axis::Axis;
pub(crate) use grid::Grid;
pub(crate) use heat::Heat;
pub(crate) use plot::{Estimate, Look, Marker, Plot};
pub(crate) use theme::{Stroke, Tone, inline, page_style, standalone};
