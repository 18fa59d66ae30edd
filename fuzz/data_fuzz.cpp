// Data files by their bytes: rows, or an input error.
#include <sys/mman.h>
#include <unistd.h>

#include "alambic/text/data/file_kind.h"
#include "alambic/text/dataset.h"
#include "fuzz/fuzz.h"

namespace alambic {

namespace {

// A file in memory, which is opened by its path as any other.
int scratch_file() {
  static const int descriptor = ::memfd_create("data", 0);
  check(descriptor >= 0, "no file in memory");
  return descriptor;
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {
      "{\"prompt\": \"a\", \"completion\": \"b\", \"answer\": [1, true, \"x\"]}\n{\"prompt\": "
      "\"c\"}\r\n",
      "[{\"prompt\": \"a\"},\n {\"prompt\": \"b\", \"n\": NaN}]",
      "{\n \"prompt\": \"a\"\n}\n{\n \"prompt\": \"b\"\n}",
      "{\"prompt\": \"a\", \"conversations\": [{\"from\": \"human\", \"value\": \"q\"}, "
      "{\"from\": \"function_call\", \"value\": \"{\\\"name\\\": \\\"f\\\"}\"}]}",
      "{\"instruction\": \"a\", \"input\": \"b\", \"output\": \"c\", \"history\": []}",
      "[\"one\", \"two \\ud83d\\ude00\"]",
      std::string("\x1F\x8B\x08\0\0\0\0\0\0\x03\xAB\x56\x2A\x28\xCA\xCF\x2D\x28\x51\xB2\x52\x50"
                  "\xAA\x50\xAA\xE5\x02\0\x4E\x0B\xE9\x07\x10\0\0\0",
                  36)};
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  const std::string_view text = text_of(data, size);
  parse_or_refuse([&] { check_is_text("f", text); });
  const int file = scratch_file();
  check(::ftruncate(file, 0) == 0 && ::pwrite(file, data, size, 0) == static_cast<ssize_t>(size),
        "cannot write");
  // Tables are Arrow's to read; gzip and zstd may swell.
  const DataPacking packing = packing_of(text.substr(0, 16));
  if (packing == DataPacking::parquet || packing == DataPacking::arrow) return 0;
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  parse_or_refuse([&] {
    const Dataset set = Dataset::open(path);
    set.holds_text();
  });
  parse_or_refuse([&] { read_examples(path, {{"prompt"}, {"text"}}); });
  parse_or_refuse([&] {
    Examples(Dataset::open(path, parse_columns({"completion=completion"})),
             {{"prompt", "completion"}})
        .check();
  });
  return 0;
}
