#pragma once

#include "alambic/io/config/family_keys.h"

namespace alambic {

/// "rope_parameters" of a completed configuration, from those or from any older spelling in `raw`
/// (modeling_rope_utils.py and the families' own convert_rope_params_to_dict): "rope_type",
/// "rope_theta", "partial_rotary_factor" where less than the head turns, and the settings of the
/// type with their defaults. For families whose kinds of layers turn by angles of their own an
/// object of such. `completed` has the family's other keys. Null for a family without rotary
/// angles.
nlohmann::ordered_json complete_rope(const JsonFields& raw, const FamilyKeys& family,
                                     const nlohmann::ordered_json& completed, ConfigNotes& notes);

}  // namespace alambic
