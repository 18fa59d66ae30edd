// SLSA provenance v1 of a signed folder: how it was made, as a second bundle about the same root.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "alambic/provenance/sign_folder.h"

namespace alambic {

/// An in-toto statement with SLSA's predicate, from the folder's record: options as external
/// parameters, models, data and the program as resolved dependencies.
std::string slsa_statement(const SignedManifest& manifest, const nlohmann::json& record);

/// Writes provenance/slsa.sigstore.json of a folder that has a record.
void write_slsa(const fs::path& folder, const BundleSigner& signer, const SignedManifest& manifest,
                const nlohmann::json& record);

/// What is wrong with that bundle, where there is one: another signer, another folder's root.
std::vector<FolderFault> slsa_faults(const fs::path& folder, const TrustedSigner& trusted,
                                     const SignedManifest& manifest);

}  // namespace alambic
