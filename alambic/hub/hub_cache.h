// A model in the cache that huggingface_hub keeps too.
//
//   CACHE/models--org--name/blobs/DIGEST         the files
//                          /snapshots/COMMIT/    links to them; one that is not whole is *.part
//                          /refs/REVISION        the commit that a revision was when last asked
//                          /complete/COMMIT      our own, empty: all that we need is there
//                          /complete/COMMIT.small    all but the weights
//   CACHE/.locks/models--org--name/alambic.lock
#pragma once

#include <string>

#include "alambic/base/files.h"
#include "alambic/hub/hub_name.h"

namespace alambic {

class HubCache {
 public:
  /// `id`: "org/name". Nothing is made or looked at.
  HubCache(const fs::path& cache, const std::string& id, HubKind kind = HubKind::model);

  const fs::path& home() const { return home_; }
  fs::path blobs() const { return home_ / "blobs"; }
  fs::path snapshot(const std::string& commit) const { return home_ / "snapshots" / commit; }
  const fs::path& lock() const { return lock_; }

  /// The commit that a revision is or was; "" where it is not known.
  std::string commit_of(const std::string& revision) const;
  void set_commit(const std::string& revision, const std::string& commit) const;

  /// We have fetched all that we need of it; without `weights`, all but those.
  bool is_complete(const std::string& commit, bool weights) const;
  void mark_complete(const std::string& commit, bool weights) const;
  /// It can be loaded, whoever fetched it: config.json is there, and with `weights` those too, with
  /// every shard that their index names.
  bool is_usable(const std::string& commit, bool weights) const;

 private:
  fs::path home_, lock_;
};

}  // namespace alambic
