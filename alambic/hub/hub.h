// Models of the Hugging Face hub, or of a server that speaks its routes, fetched into a cache.
//
//   CACHE/models--org--name/refs/REVISION       the commit that a revision was when last asked
//                          /snapshots/COMMIT/   the files; one that is not whole is called *.part
//                          /complete/COMMIT     empty: all of them are there
//                          /complete/COMMIT.small   all but the weights
#pragma once

#include <string>
#include <vector>

#include "alambic/hub/hub_name.h"

namespace alambic {

struct HubSettings {
  std::string endpoint = "https://huggingface.co";
  std::string token;     ///< "" for none
  fs::path cache;        ///< folder of all models
  bool offline = false;  ///< only what is in the cache
  double wait = 1;       ///< seconds before the first try again; doubles
};

/// Settings from the environment: HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, and `hub` in
/// ALAMBIC_CACHE, XDG_CACHE_HOME/alambic or ~/.cache/alambic. Input errors name the variable.
HubSettings hub_settings();

/// The folder with the model's files; what is missing is fetched: the configuration, the tokenizer,
/// the chat template, the weights as safetensors or else as pytorch_model.bin. Transfers that break
/// off go on where they ended, in this run or the next; every file's digest is compared with what
/// the hub says it is. Without a network, or with `offline`, what is complete in the cache is
/// taken.
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
