// The files that the hub lists of a model or a data set, and their way into the cache.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alambic/hub/hub_cache.h"
#include "alambic/hub/hub_name.h"
#include "alambic/hub/hub_settings.h"

namespace alambic {

class Progress;

struct ListedFile {
  std::optional<uint64_t> bytes;  ///< where the hub says them
  std::string digest;             ///< the name of its blob; "" where the hub does not say it
};

/// A commit and its files, as the hub lists them.
struct HubListing {
  std::string commit;
  std::map<std::string, ListedFile> files;

  std::vector<std::string> names() const;
};

/// What a revision holds. Nothing where the hub cannot be reached or does not let us, and there is
/// something to fall back to (`has_other`). Errors are fetch_model's.
std::optional<HubListing> list_hub_files(HubKind kind, const HubName& repository,
                                         const HubSettings& settings, bool has_other);

/// Fetches these files of the listing that the snapshot lacks. `done`: bytes of what is there so
/// far, for the progress.
void fetch_listed(HubKind kind, const HubName& repository, const HubSettings& settings,
                  const HubListing& listing, const std::vector<std::string>& names,
                  Progress& progress, int64_t& done);

}  // namespace alambic
