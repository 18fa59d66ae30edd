// What versions of model-signing before 1.0 signed: their successors still verify it, and so does
// this.
#pragma once

#include <string>
#include <string_view>

#include "alambic/provenance/keys.h"

namespace alambic {

/// The bytes that version 0.2 signed: "DSSEV1" and the payload as Python prints bytes, b'…\n…'.
std::string signed_bytes_of_version_0_2(std::string_view payload_type, std::string_view payload);

/// Whether a signature of version 0.2 holds: over those bytes, by SHA-256 whatever the curve, or by
/// the curve's own hash.
bool holds_by_version_0_2(const KeyHandle& key, std::string_view payload_type,
                          std::string_view payload, std::string_view signature);

}  // namespace alambic
