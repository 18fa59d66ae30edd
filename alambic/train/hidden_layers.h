#pragma once

#include "alambic/objective/options.h"
#include "alambic/train/hidden_match.h"

namespace alambic {

/// Pairs that --hidden-layers names; without it layer i of the student's s beside layer i·t/s of
/// the teacher's t, rounded, both counted from 1 (TinyBERT's uniform map). Input errors: no
/// STUDENT:TEACHER, a layer that is not there, a layer of the student twice.
std::vector<LayerPair> hidden_layers(const ObjectiveOptions& options, int64_t student_layers,
                                     int64_t teacher_layers);

}  // namespace alambic
