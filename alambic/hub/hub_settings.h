// Where the hub is, who asks, and where models are kept: as huggingface_hub finds it.
#pragma once

#include <string>

#include "alambic/base/files.h"

namespace alambic {

struct HubSettings {
  std::string endpoint = "https://huggingface.co";
  std::string token;     ///< "" for none
  fs::path cache;        ///< folder of all models
  bool offline = false;  ///< only what is in the cache
  bool links = true;     ///< snapshots link to blobs; false: they hold the files
  double wait = 1;       ///< seconds before the first try again; doubles
};

/// Settings from the environment, with huggingface_hub's meanings:
///   endpoint: HF_ENDPOINT.
///   token: HF_TOKEN or HUGGING_FACE_HUB_TOKEN, else what `hf auth login` left in HF_TOKEN_PATH or
///     HF_HOME/token; none where HF_HUB_DISABLE_IMPLICIT_TOKEN is set.
///   cache: HF_HUB_CACHE or HUGGINGFACE_HUB_CACHE, else HF_HOME/hub, else (our own)
///     ALAMBIC_CACHE/hub. HF_HOME is huggingface in XDG_CACHE_HOME or ~/.cache.
///   offline: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE; links: HF_HUB_DISABLE_SYMLINKS.
/// A variable that is empty counts as not set. Input errors name the variable.
HubSettings hub_settings();

}  // namespace alambic
