// What a process did when, for chrome://tracing and Perfetto.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "alambic/base/stopwatch.h"

namespace alambic {

/// Spans of time on named tracks, in the Trace Event Format (JSON Array of "X" and "b"/"e" events).
/// Of one thread; spans of a track do not overlap, messages may.
class Timeline {
 public:
  explicit Timeline(int64_t process) : process_(process) {}

  /// Ends the track's span that is open, and begins one of that name; "": none.
  void span(const std::string& track, const std::string& name);
  /// A message that is on its way until it arrives; of one name the first sent arrives first.
  void sent(const std::string& name);
  void arrived(const std::string& name);

  /// The events so far as JSON; spans that are open end now.
  std::string json();
  /// Written atomically. Environment errors name the path.
  void write(const std::filesystem::path& path);

 private:
  struct Event {
    std::string track, name;
    double begin = 0, end = -1;  // seconds; −1: not yet
    bool message = false;
  };
  int64_t process_;
  Stopwatch clock_;
  std::vector<Event> events_;
  std::map<std::string, size_t> open_;                 // by track
  std::map<std::string, std::vector<size_t>> on_way_;  // by name, oldest first
};

}  // namespace alambic
