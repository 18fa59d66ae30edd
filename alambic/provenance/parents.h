// Records of the models that a model was made from: a chain over generations.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/provenance/folder_digests.h"
#include "alambic/provenance/signature_bundle.h"

namespace alambic {

/// The records that lie in `models` (folders of models; others have none), as a child's record
/// takes them over: digest, name, student and teachers with root and license, and their own
/// `parents`. Reads no weights, so none of them is verified, and none of theirs.
nlohmann::json parents_of(const std::vector<fs::path>& models);

/// The same, each held against its signature (model.sig) and the keys and roots that are trusted:
/// `verified` with `signer`, or not with `why`. Those of an unverified one are not either. Files
/// that `memo` knows are not read again. No signature and a wrong one are no errors.
nlohmann::json verified_parents_of(const std::vector<fs::path>& models,
                                   const std::vector<TrustedSigner>& trusted, DigestMemo& memo);

/// Calls `see` with every parent, its own ones after it, and its generation (1: a parent).
void for_each_parent(const nlohmann::json& record,
                     const std::function<void(const nlohmann::json& parent, int generation)>& see);

}  // namespace alambic
