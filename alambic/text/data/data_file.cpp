#include "alambic/text/data/data_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/io/mapped_file.h"
#include "alambic/text/data/csv_rows.h"
#include "alambic/text/data/spool.h"
#include "alambic/text/data/table_library.h"
#include "alambic/text/data/unpack.h"

namespace alambic {

namespace {

constexpr std::string_view mark = "\xEF\xBB\xBF";
// Pages that may stay in memory; a row's first touch brings some of its neighbors along.
constexpr size_t resident_bytes = size_t{16} << 20, touch_bytes = size_t{64} << 10;

std::string_view as_text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// Packed data that swells more than any text does fills the disk on purpose.
constexpr uint64_t max_swelling = 200, always_unpacked = uint64_t{1} << 30;

void spool_all(int descriptor, const std::string& name, Spool& spool) {
  std::array<char, 1 << 16> piece;
  while (true) {
    const ssize_t count = ::read(descriptor, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw environment_error("cannot read {}: {}", name, std::strerror(errno));
    if (count == 0) return;
    spool.write({piece.data(), static_cast<size_t>(count)});
  }
}

// What a shell's <(command) gives, or /dev/stdin. Other pipes could keep us waiting forever.
bool is_open_pipe(const fs::path& path) {
  const std::string name = path.string();
  std::error_code error;
  return (name == "/dev/stdin" || name.starts_with("/dev/fd/")) &&
         !fs::is_regular_file(fs::status(path, error));
}

void spool_pipe(const fs::path& path, Spool& spool) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    throw input_error("cannot open {}: {}", path.string(), std::strerror(errno));
  }
  try {
    spool_all(descriptor, path.string(), spool);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  ::close(descriptor);
}

// "a.txt.gz" -> "a.txt"
fs::path without_packing(fs::path path) {
  const std::string extension = path.extension().string();
  if (extension == ".gz" || extension == ".zst" || extension == ".zstd") path.replace_extension();
  return path;
}

// What separates the fields of a table of text; nothing for other files, which their names do not
// tell.
std::optional<char> separator_of(const fs::path& path) {
  const std::string extension = without_packing(path).extension().string();
  if (extension == ".csv") return ',';
  if (extension == ".tsv") return '\t';
  return std::nullopt;
}

// Changes when a file is written to.
struct FileStamp {
  ino_t file = 0;
  off_t bytes = 0;
  int64_t seconds = 0, nanoseconds = 0;

  bool operator==(const FileStamp&) const = default;
};

std::optional<FileStamp> stamp_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileStamp{status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

}  // namespace

struct DataFile::State {
  std::string name;
  std::unique_ptr<Spool> spool;  // what was unpacked, or came through a pipe
  std::optional<MappedFile> file;
  std::string_view text;
  bool plain = false;
  size_t touched = 0;
  fs::path path;  // of the file itself where it is mapped as it is; else empty
  std::optional<FileStamp> stamp = {};

  void map(const fs::path& path) {
    file.emplace(MappedFile::open(path));
    text = as_text(*file);
  }

  // Makes jsonl of a table of text.
  void read_table(char separator) {
    check_is_text(name, text);
    auto rows = std::make_unique<Spool>();
    write_csv_rows(name, text, separator, [&](std::string_view bytes) { rows->write(bytes); });
    map(rows->path());
    spool = std::move(rows);
    stamp.reset();
  }

  void unpack(const fs::path& path, DataPacking packing) {
    const std::unique_ptr<Spool> packed = std::exchange(spool, std::make_unique<Spool>());
    uint64_t total = 0;
    const auto take = [&](std::string_view bytes) {
      total += bytes.size();
      if (total > always_unpacked && total / max_swelling > text.size()) {
        throw input_error("cannot unpack {}: its {} bytes become more than {}", name, text.size(),
                          total);
      }
      spool->write(bytes);
    };
    switch (packing) {
      case DataPacking::gzip:
        unpack_gzip(name, text, take);
        break;
      case DataPacking::zstd:
        unpack_zstd(name, text, take);
        break;
      default:
        write_table_rows(name, path, packing, take);
    }
    map(spool->path());
    stamp.reset();
  }
};

DataFile::DataFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
DataFile::~DataFile() = default;
DataFile::DataFile(DataFile&&) noexcept = default;
DataFile& DataFile::operator=(DataFile&&) noexcept = default;

DataFile DataFile::open(const fs::path& path) {
  auto state = std::make_unique<State>();
  const bool input = path == "-", pipe = !input && is_open_pipe(path);
  state->name = input ? "standard input" : path.string();
  if (input) {
    state->spool = std::make_unique<Spool>();
    spool_all(STDIN_FILENO, state->name, *state->spool);
    state->map(state->spool->path());
  } else if (pipe) {
    state->spool = std::make_unique<Spool>();
    spool_pipe(path, *state->spool);
    state->map(state->spool->path());
  } else {
    if (is_folder(path)) throw input_error("cannot read {}: it is a folder", path.string());
    state->map(path);
    state->path = path;
    state->stamp = stamp_of(path);
  }
  if (const DataPacking packing = packing_of(state->text); packing != DataPacking::none) {
    state->unpack(input || pipe ? state->spool->path() : path, packing);
  }
  if (state->text.starts_with(mark)) state->text.remove_prefix(mark.size());
  check_begins_as_text(state->name, state->text);
  if (const auto separator = separator_of(path)) state->read_table(*separator);
  const size_t first = state->text.find_first_not_of(" \t\r\n");
  const bool rows =
      first != state->text.npos && (state->text[first] == '{' || state->text[first] == '[');
  state->plain = input || pipe ? !rows : without_packing(path).extension() == ".txt";
  if (state->plain) check_is_text(state->name, state->text);
  return DataFile(std::move(state));
}

std::string_view DataFile::text() const { return state_->text; }
const std::string& DataFile::name() const { return state_->name; }
bool DataFile::is_plain_text() const { return state_->plain; }

void DataFile::check_unchanged() const {
  // A file that was removed, or whose name another has, is still mapped as it was.
  const auto now = state_->stamp ? stamp_of(state_->path) : std::nullopt;
  if (!now || now->file != state_->stamp->file || *now == *state_->stamp) return;
  throw input_error("{} has been written to since this command opened it", state_->name)
      .with_hint("data is read while a run goes on: write changes to another file");
}

void DataFile::was_read(size_t bytes) const {
  state_->touched += bytes + touch_bytes;
  if (state_->touched < resident_bytes) return;
  state_->touched = 0;
  state_->file->release(state_->file->bytes());
}

}  // namespace alambic
