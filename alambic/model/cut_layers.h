// Shallower models: evenly spaced layers of a deeper one.
#pragma once

#include <memory>
#include <string>

#include "alambic/model/cut_width.h"

namespace alambic {

/// A model of `layers` layers of the one at `source`, the first, the last and evenly between, with
/// its embedding, norms and head, and of the `widths` (cut_width.h); 0: as they are. Input errors
/// name `source`: more layers than it has, layers of different kinds whose tensors do not fit where
/// they come to stand, and cut_width's.
std::unique_ptr<Model> cut_model(const std::string& source, int64_t layers, const Widths& widths);

}  // namespace alambic
