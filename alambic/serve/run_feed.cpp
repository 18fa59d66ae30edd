#include "alambic/serve/run_feed.h"

#include <algorithm>
#include <charconv>
#include <fstream>

#include "alambic/report/run_files.h"
#include "alambic/serve/api_error.h"

namespace alambic {

namespace {

constexpr int64_t most_bytes = 1 << 20, most_samples = 64 << 10;

}  // namespace

nlohmann::ordered_json run_feed(const fs::path& run, RunFile file, const std::string& after) {
  int64_t from = -1;
  const char* end = after.data() + after.size();
  const auto read = std::from_chars(after.data(), end, from);
  if (read.ec != std::errc() || read.ptr != end || from < 0) {
    throw ApiError(400, "'after' is the 'next' of an earlier answer, or 0", "after");
  }
  const fs::path path = run / (file == RunFile::metrics ? run_files::metrics : run_files::samples);
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const int64_t size = in ? static_cast<int64_t>(in.tellg()) : 0;
  // A run that was begun again has shorter files.
  from = from > size ? 0 : from;
  const bool cuts = file == RunFile::samples && from == 0 && size > most_samples;
  if (cuts) from = size - most_samples;
  std::string text(static_cast<size_t>(std::clamp<int64_t>(size - from, 0, most_bytes)), '\0');
  if (in) {
    in.seekg(from);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(in.gcount()));
  }
  // The last line may be in the middle of being written.
  const size_t last = text.rfind('\n');
  text.resize(last == std::string::npos ? 0 : last + 1);
  const int64_t next = from + std::ssize(text);
  if (cuts) text.erase(0, text.find('\n') + 1);
  const fs::path name = run.filename().empty() ? run.parent_path().filename() : run.filename();
  return {{"run", name.string()}, {"lines", std::move(text)}, {"next", next}};
}

}  // namespace alambic
