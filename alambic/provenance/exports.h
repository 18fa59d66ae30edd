// A record in the forms of others.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace alambic {

/// SPDX 3.0.1 with its AI and dataset profiles, as JSON-LD.
nlohmann::ordered_json spdx_of(const nlohmann::json& record);

/// A CycloneDX 1.6 bill of materials with the model, its ingredients and the data.
nlohmann::ordered_json cyclonedx_of(const nlohmann::json& record);

/// Markdown for a model card: what made the model, licenses and duties.
std::string card_section_of(const nlohmann::json& record);

/// Markdown with the fields of Annex XI of the EU's AI Act that a run can tell: data, compute,
/// time, energy; what it cannot is said to be unknown.
std::string annex_xi_of(const nlohmann::json& record);

// All of them: input errors for a record that lacks a field or has one of another type.

}  // namespace alambic
