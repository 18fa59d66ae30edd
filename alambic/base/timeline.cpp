#include "alambic/base/timeline.h"

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"

namespace alambic {

void Timeline::span(const std::string& track, const std::string& name) {
  const double now = clock_.seconds();
  const auto open = open_.find(track);
  if (open != open_.end()) {
    events_[open->second].end = now;
    open_.erase(open);
  }
  if (name.empty()) return;
  open_[track] = events_.size();
  events_.push_back({.track = track, .name = name, .begin = now});
}

void Timeline::sent(const std::string& name) {
  on_way_[name].push_back(events_.size());
  events_.push_back(
      {.track = "messages", .name = name, .begin = clock_.seconds(), .message = true});
}

void Timeline::arrived(const std::string& name) {
  std::vector<size_t>& waiting = on_way_[name];
  if (waiting.empty()) return;
  events_[waiting.front()].end = clock_.seconds();
  waiting.erase(waiting.begin());
}

std::string Timeline::json() {
  const double now = clock_.seconds();
  nlohmann::ordered_json trace = nlohmann::ordered_json::array();
  const auto microseconds = [](double seconds) { return static_cast<int64_t>(1e6 * seconds); };
  for (size_t i = 0; i < events_.size(); ++i) {
    const Event& event = events_[i];
    const double end = event.end < 0 ? now : event.end;
    nlohmann::ordered_json entry = {{"name", event.name},
                                    {"cat", event.track},
                                    {"pid", process_},
                                    {"tid", event.track},
                                    {"ts", microseconds(event.begin)}};
    if (!event.message) {
      entry["ph"] = "X";
      entry["dur"] = microseconds(end - event.begin);
      trace.push_back(std::move(entry));
      continue;
    }
    entry["id"] = i;
    entry["ph"] = "b";
    trace.push_back(entry);
    entry["ph"] = "e";
    entry["ts"] = microseconds(end);
    trace.push_back(std::move(entry));
  }
  return trace.dump(1) + "\n";
}

void Timeline::write(const std::filesystem::path& path) { write_file(path, json()); }

}  // namespace alambic
