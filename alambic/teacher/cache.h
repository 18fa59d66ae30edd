// A teacher's grades on disk: written once, replayed by any run that asks for the same sequences.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "alambic/base/file_lock.h"
#include "alambic/flow/rollouts.h"
#include "alambic/flow/teacher_output.h"
#include "alambic/io/safetensors.h"
#include "alambic/teacher/cache_manifest.h"
#include "alambic/teacher/teacher.h"

namespace alambic {

/// Names of sequences in a cache: SHA-256 of the token ids and of which of them are graded, so
/// that grades are found whatever the order, the file or the batch of the sequence, and a
/// changed prompt, template or completion is not.
std::vector<std::string> sequence_keys(const Rollouts& rollouts);

/// A folder with manifest.json and parts of about 64 MB, each a safetensors file that appears whole
/// or not at all, so that an interrupted filling continues where it was.
class TeacherCache {
 public:
  /// Opens the cache, or begins one where the folder is missing or empty. Every part's bytes are
  /// compared with the manifest's digest. Input errors: a cache of another teacher, tokenizer,
  /// template or form, with the differences; a part that is missing, cut short or damaged, by name;
  /// a folder with other things in it.
  TeacherCache(fs::path folder, CacheManifest needed);

  const CacheManifest& manifest() const { return manifest_; }
  bool holds(const std::string& key) const { return places_.contains(key); }

  /// Grades of these sequences in their order, on their device; hidden states without a head. An
  /// input error when one is not there.
  TeacherOutput read(const Rollouts& rollouts) const;

  /// Grades with `teacher`, which gives hidden states, the sequences of `rollouts` and keeps what
  /// is not there yet. From the first call to flush() no other process can fill: environment errors
  /// if another one does, or has put another cache in this one's place. Entries that others have
  /// added since are read first.
  void fill(const Teacher& teacher, const Rollouts& rollouts);
  /// Ends the filling: what is left reaches the disk, and other processes may fill.
  void flush();
  /// Reads what other processes have added since it was opened. An environment error where they
  /// have put another cache in this one's place.
  void read_added();

 private:
  struct Place {
    size_t part = 0;
    int64_t begin = 0, end = 0;  // rows
  };
  using Columns = std::vector<std::pair<std::string, Tensor>>;  // a part's, by name
  struct Pending {
    std::vector<std::string> keys;
    std::unordered_set<std::string> seen;
    std::vector<int64_t> offsets = {0};
    std::vector<Columns> grades;  // one a sequence
  };

  Columns columns_of(const HiddenStates& graded) const;
  void check_same(const CacheManifest& stored) const;
  void open_part(const CacheManifest::Part& part);
  void begin_filling();
  void write_part();
  Tensor gather(const std::vector<Place>& places, const std::string& name, at::ScalarType dtype,
                at::Device device) const;

  fs::path folder_;
  CacheManifest manifest_;
  std::vector<std::shared_ptr<const SafetensorsFile>> parts_;
  std::unordered_map<std::string, Place> places_;
  Pending pending_;
  std::shared_ptr<FileLock> lock_;  // while this process fills
};

}  // namespace alambic
