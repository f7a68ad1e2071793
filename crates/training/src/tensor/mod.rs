//! The burn backend: the same book-keeping on tensors, for many models side by side, generic over the device.
//!
//! The forward pass adds a *probe*, a tensor of zeros, to what every weight matrix writes. One backward pass gives
//! the loss's gradient by each probe, which is the `g` of the per-record rules ([`gradient`]); the gradients of the
//! weights themselves are never taken. So a layer needs a forward pass here and nothing else, and this backend is
//! the path to devices on which hand-written loops make no sense.
//!
//! Every tensor has a leading axis of *replicas*: models that are trained or asked side by side, each with its own
//! records. A silo by itself is the case of one replica.
//!
//! burn is named in this module alone.

mod arithmetic;
mod batch;
mod clip;
#[cfg(feature = "cubecl")]
mod cube;
mod differentiated;
mod footprint;
mod forward;
mod gradient;
mod labels;
mod layout;
mod network;
mod on_device;
mod optimizer;
mod replica;
mod residence;
mod scores;
mod stack;
mod tape;

pub(crate) use on_device::OnDevice;
