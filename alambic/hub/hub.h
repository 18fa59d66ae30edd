// Models of the Hugging Face hub, or of a server that speaks its routes, fetched into the cache
// that huggingface_hub has too (hub_cache.h).
#pragma once

#include <string>
#include <vector>

#include "alambic/hub/hub_name.h"
#include "alambic/hub/hub_settings.h"

namespace alambic {

/// The folder with the model's files; what is missing is fetched: the configuration, the tokenizer,
/// the chat template, the weights as safetensors or else as pytorch_model.bin. Transfers that break
/// off go on where they ended, in this run or the next; every file's digest is compared with what
/// the hub says it is. Without a network or the right to ask, or with `offline`, what the cache has
/// is taken, also what other tools have fetched.
///
/// Input errors: no such model or revision, no permission, a model without weights that we read.
/// Environment errors: no network, a disk that is full, a wrong digest, and what no hub would say:
/// file names that leave the folder, a commit that is none, a digest that is missing.
///
/// `weights` false: those are not fetched.
fs::path fetch_model(const HubName& name, const HubSettings& settings, bool weights = true);

/// Names of a model's files that are needed; the weights, or the index that names their shards,
/// last. Errors name `model`.
std::vector<std::string> wanted_files(const std::string& model,
                                      const std::vector<std::string>& listed, bool weights = true);

}  // namespace alambic
