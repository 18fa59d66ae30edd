#include "alambic/text/data/table_library.h"

#include <dlfcn.h>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/version.h"

namespace alambic {

namespace {

// Beside the library in which this very function is.
fs::path library_path() {
  Dl_info info = {};
  check(::dladdr(reinterpret_cast<void*>(&write_table_rows), &info) != 0, "no place of our own");
  return fs::path(info.dli_fname).parent_path() / "libalambic_arrow.so";
}

const TableLibrary& load(const std::string& name) {
  const fs::path path = library_path();
  if (!has_table_library()) {
    throw environment_error(
        "cannot read {}: Parquet and Arrow files need Apache Arrow, without which this Alambic was "
        "built ({} is not there)",
        name, path.string())
        .with_hint(
            "tools/setup --arrow and `make build`; or write the rows as jsonl, with Python: "
            "datasets.Dataset.from_parquet(FILE).to_json(\"rows.jsonl\")");
  }
  // Its symbols stay its own: libtorch brings some of the same libraries in other versions.
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw environment_error("cannot load {}, which reads Parquet and Arrow files", path.string())
        .with_hint(
            "the Apache Arrow that it was built with is gone: tools/setup --arrow, then "
            "`make build`");
  }
  void* symbol = ::dlsym(library, kTableLibrarySymbol);
  check(symbol != nullptr, "{} has no {}", path.string(), kTableLibrarySymbol);
  const auto& found = *static_cast<const TableLibrary*>(symbol);
  if (std::string_view(found.version) != kVersion) {
    throw environment_error("cannot use {}: it is of version {}, the program of {}", path.string(),
                            found.version, kVersion)
        .with_hint("they come from one build: `make build` or install again");
  }
  return found;
}

}  // namespace

bool has_table_library() { return path_exists(library_path()); }

void write_table_rows(const std::string& name, const fs::path& path, DataPacking packing,
                      const TakeBytes& take) {
  load(name).write_rows(name, path, packing, take);
}

}  // namespace alambic
